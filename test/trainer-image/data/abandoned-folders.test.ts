import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { removeAbandonedFolders } from '../../../trainer-image/data/abandoned-folders.ts';

const HOURS = 3_600_000;
const NOW = 100 * HOURS;

/** Hours since the last change of a folder and, if given, of one inside it; whether it stays. */
const cases: [why: string, name: string, ages: [folder: number, inside?: number], stays: boolean][] = [
  ['a temporary folder that nobody has written to for long is removed', 'x.making-1', [2], false],
  ['one that is being written to stays', 'x.making-1', [0.1], true],
  ['one whose sub-folder is being written to stays', 'x.making-1', [30, 0.1], true],
  ['one whose sub-folder is old as well is removed', 'x.making-1', [30, 29], false],
  ['a folder of another name stays, however old', 'x', [50], true],
  ['another’s temporary folder stays, however old', 'y.making-1', [50], true],
];
for (const [why, name, [age, inside], stays] of cases) {
  test(why, async () => {
    const root = mkdtempSync(join(tmpdir(), 'cdsp-abandoned-'));
    try {
      const folder = join(root, name);
      mkdirSync(join(folder, 'sub'), { recursive: true });
      writeFileSync(join(folder, 'sub', 'a.png'), '');
      const setAge = (path: string, hours: number) => utimesSync(path, (NOW - hours * HOURS) / 1000, (NOW - hours * HOURS) / 1000);
      setAge(join(folder, 'sub'), inside ?? age);
      setAge(folder, age);
      await removeAbandonedFolders(root, 'x.making-', NOW);
      assert.is(existsSync(folder), stays);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

test.run();
