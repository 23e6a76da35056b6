import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runInTerminal } from '../cli-process.ts';
import { withExperiment } from '../fixtures.ts';
import { createScreen } from '../progress/screen.ts';

// util-linux's script makes the terminal; where it is missing, the reporters' own tests have to do.
const hasScript = spawnSync('script', ['--version']).status === 0;
const check = (why: string, run: () => Promise<void>) => (hasScript ? test(why, run) : test.skip(why, run));

/** What a person sees in a terminal after all of the output. */
function screenAfter(output: string, columns: number): string[] {
  const screen = createScreen(columns);
  screen.write(output);
  assert.ok(screen.cursorIsVisible());
  return screen.lines();
}

for (const columns of [40, 120]) {
  check(`in a terminal of ${columns} columns each stage leaves one line`, () =>
    withExperiment(async (folder) => {
      const { code, stdout } = await runInTerminal(['run', 'tiny.yaml', '--no-report'], columns, { cwd: folder, stages: {} });
      assert.is(code, 0, stdout);
      assert.match(stdout, /█/);
      const lines = screenAfter(stdout, columns);
      const marks = lines.filter((line) => line.startsWith('✓')).map((line) => line.replace(/[\d.]+ s/, 'N s'));
      assert.equal(marks, [
        '✓ classify     N s, mIoU 50.0 %',
        '✓ pseudo-label N s, mIoU 50.0 %',
        '✓ segment      N s, mIoU 50.0 %',
        '✓ evaluate     N s, mIoU 50.0 %',
      ]);
      assert.not.ok(lines.some((line) => line.includes('█')));
    }),
  );
}

check('NO_COLOR switches colours off, not the bars', () =>
  withExperiment(async (folder) => {
    const { stdout } = await runInTerminal(['run', 'tiny.yaml', '--no-report'], 80, {
      cwd: folder,
      stages: {},
      environment: { NO_COLOR: '1' },
    });
    // eslint-disable-next-line no-control-regex -- colour codes are looked for
    assert.not.match(stdout, /\x1b\[[0-9;]*m/);
    assert.match(stdout, /█/);
  }),
);

check('Ctrl-C in a terminal stops the run and gives the cursor back', () =>
  withExperiment(async (folder) => {
    let pressed = false;
    const { code, stdout } = await runInTerminal(['run', 'tiny.yaml', '--no-report'], 80, {
      cwd: folder,
      stages: { classify: [{ hold: true }] },
      onOutput: (text, terminal) => {
        if (pressed || !text.includes('█')) return;
        pressed = true;
        terminal.write('\x03');
      },
    });
    assert.is(code, 75, stdout);
    const lines = screenAfter(stdout, 80);
    assert.ok(lines.some((line) => line.includes('Stopping: the running stage keeps a checkpoint.')));
    assert.ok(lines.some((line) => line.startsWith('! classify     interrupted after')));
  }),
);

test.run();
