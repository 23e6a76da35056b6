import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentError } from '../../../operator/api/findings.ts';
import { describeFailure } from '../../../operator/cli/failure.ts';
import { BadInputError, UnavailableError } from '../../../trainer-image/errors.ts';

const systemError = (code: string) => Object.assign(new Error(`${code}: raw text`), { code, path: 'data/x.png' });

const cases: readonly (readonly [why: string, error: unknown, text: string, exitCode: number])[] = [
  [
    'bad input names file and field',
    new BadInputError('must be 8', { file: 'a.yaml', field: 'spec.x' }),
    'error: a.yaml: spec.x: must be 8',
    65,
  ],
  ['bad input without a field names the file', new BadInputError('is damaged', { file: 'a.png' }), 'error: a.png: is damaged', 65],
  [
    'an experiment gives a line for each finding',
    new ExperimentError(
      [
        { field: 'spec.x', message: 'must be 8', line: 3 },
        { field: 'spec.y', message: 'unknown key' },
      ],
      'a.yaml',
    ),
    'error: a.yaml: spec.x (line 3): must be 8\nerror: a.yaml: spec.y: unknown key',
    65,
  ],
  ['a missing file says so', systemError('ENOENT'), 'error: data/x.png: there is no such file or folder; check the path', 65],
  [
    'a full disk says what to do',
    systemError('ENOSPC'),
    'error: data/x.png: the disk is full; free some space or choose another folder. What was complete is kept',
    65,
  ],
  ['something that set-up provides says how to get it', new UnavailableError('run the set-up'), 'error: run the set-up', 69],
  ['an error with an exit code keeps it', Object.assign(new Error('locked'), { exitCode: 75 }), 'error: locked', 75],
  ['anything else is a failure', new Error('odd'), 'error: odd (CDSP_DEBUG=1 shows where)', 1],
  ['what is no error is shown all the same', 'odd', 'error: odd', 1],
  ['a message cannot steer the terminal', new BadInputError('a\x1b[2Jb'), 'error: ab', 65],
];
for (const [why, error, text, exitCode] of cases) test(why, () => assert.equal(describeFailure(error, false), { text, exitCode }));

test('debugging appends the stack', () => assert.match(describeFailure(new Error('odd'), true).text, /^error: odd .*\nError: odd\n\s+at /));

test.run();
