import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { History } from '../../../trainer-image/training/history.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';

interface Line {
  readonly step: number;
  readonly loss: number;
}

const line = (step: number): Line => ({ step, loss: step / 2 });
const text = (...steps: number[]) => steps.map((step) => `${JSON.stringify(line(step))}\n`).join('');

/** Runs a check with the path of a history that holds `content`. */
const withHistory = (content: string | undefined, use: (file: string) => void) =>
  withFolder((folder) => {
    const file = join(folder, 'history.jsonl');
    if (content !== undefined) writeFileSync(file, content);
    use(file);
  });

test('lines are written when flushed, in order', () =>
  withHistory(undefined, (file) => {
    const history = new History<Line>(file, 0);
    [0, 1, 2].forEach((step) => history.add(line(step)));
    assert.not(existsSync(file));
    history.flush();
    history.flush();
    history.add(line(3));
    history.flush();
    assert.is(readFileSync(file, 'utf8'), text(0, 1, 2, 3));
  }));

for (const [why, content, startStep, kept] of [
  ['a line at the step that the training goes on with', text(0, 1, 2), 2, [0, 1]],
  ['every line of a training that begins anew', text(0, 1, 2), 0, []],
  ['a line that a crash cut short', `${text(0, 1)}{"step":2,"lo`, 5, [0, 1]],
  ['a torn line in the middle, of a crash before', `${text(0)}{"st\n${text(1)}`, 5, [0, 1]],
  ['empty lines', `\n${text(0)}\n\n${text(1)}`, 5, [0, 1]],
  ['nothing of a whole file', text(0, 1, 2), 3, [0, 1, 2]],
] as const) {
  test(`going on drops ${why}`, () =>
    withHistory(content, (file) => {
      const history = new History<Line>(file, startStep);
      assert.is(readFileSync(file, 'utf8'), text(...kept));
      assert.equal(history.last, kept.length === 0 ? undefined : line(kept[kept.length - 1]));
      history.add(line(9));
      assert.equal(history.last, line(9));
    }));
}

test('a file that cannot be written is told by name', () =>
  withFolder((folder) => {
    const history = new History<Line>(join(folder, 'missing', 'history.jsonl'), 0);
    history.add(line(0));
    assert.throws(() => history.flush());
    writeFileSync(join(folder, 'file'), '');
    const blocked = new History<Line>(join(folder, 'file', 'history.jsonl'), 0);
    blocked.add(line(0));
    assert.throws(
      () => blocked.flush(),
      (error: unknown) => error instanceof BadInputError && error.file?.endsWith('history.jsonl') === true,
    );
  }));

test.run();
