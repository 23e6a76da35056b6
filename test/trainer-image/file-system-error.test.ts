import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../trainer-image/errors.ts';
import { fileSystemError, outputError, STORAGE_FIELD } from '../../trainer-image/file-system-error.ts';

const system = (code: string, path?: string) => Object.assign(new Error(`${code}: raw`), { code, path });

const known: [why: string, error: unknown, file: string | undefined, expected: [file: string | undefined, message: RegExp]][] = [
  ['a full disk', system('ENOSPC'), 'a.json', ['a.json', /^the disk is full; /]],
  ['the file that was to be written, not its temporary sibling', system('EROFS', 'a.json.tmp'), 'a.json', ['a.json', /read-only/]],
  ['the path that the system names, where nobody says more', system('EACCES', 'runs'), undefined, ['runs', /cannot be written/]],
  ['what lies under another error', new Error('no checkpoint', { cause: system('EDQUOT') }), 'c', ['c', /quota/]],
];
for (const [why, error, file, [expectedFile, message]] of known) {
  test(`told: ${why}`, () => {
    const told = fileSystemError(error, file);
    assert.equal([told?.file, told?.field], [expectedFile, STORAGE_FIELD]);
    assert.match(told?.message ?? '', message);
    assert.is(told?.cause, error);
  });
}

test('an error that nobody can mend is none of these', () => {
  assert.is(fileSystemError(system('EMFILE')), undefined);
  assert.is(fileSystemError(new Error('odd')), undefined);
  assert.is(fileSystemError('odd'), undefined);
});

test('without a setting none is named', () => assert.is(fileSystemError(system('ENOSPC'), 'a', null)?.field, undefined));

test('what is written for an option blames the option', () => {
  for (const error of [system('ENOSPC'), fileSystemError(system('ENOSPC'), 'out/.part/a.png')]) {
    const told = outputError(error, 'out') as BadInputError;
    assert.equal([told.file, told.field], ['out', '--output']);
    assert.match(told.message, 'disk is full');
  }
});

test('what was read keeps its own name', () => {
  const unreadable = new BadInputError('cannot be read', { file: 'a.png', cause: system('EACCES', 'a.png') });
  assert.is(outputError(unreadable, 'out'), unreadable);
  const odd = new Error('odd');
  assert.is(outputError(odd, 'out'), odd);
});

test.run();
