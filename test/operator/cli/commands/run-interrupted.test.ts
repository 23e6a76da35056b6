import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../cli-process.ts';
import { withExperiment } from '../fixtures.ts';

test('Ctrl-C stops the run with 75, and the same command resumes it', () =>
  withExperiment(async (folder) => {
    let interrupted = false;
    const stopped = await runCli(['run', 'tiny.yaml', '--no-report'], {
      cwd: folder,
      stages: { segment: [{ hold: true }] },
      onOutput: (text, child) => {
        if (interrupted || !/segment: \d+ %|segment: started/.test(text)) return;
        interrupted = true;
        child.interrupt();
      },
    });
    assert.is(stopped.code, 75, stopped.stderr);
    assert.match(stopped.stderr, /Stopping: the running stage keeps a checkpoint\. The same command resumes\./);
    assert.match(stopped.stderr, /segment: interrupted after/);
    assert.match(stopped.stdout, /Interrupted\. The same command resumes\.\n$/);

    const resumed = await runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages: {} });
    assert.is(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /pseudo-label: done before/);
    assert.match(resumed.stderr, /segment: complete/);
  }));

test('a run on a folder that another one holds ends with 75 and says who holds it', () =>
  withExperiment(async (folder) => {
    let second: ReturnType<typeof runCli> | undefined;
    const first = await runCli(['run', 'tiny.yaml', '--no-report'], {
      cwd: folder,
      stages: { classify: [{ hold: true }] },
      onOutput: (text, child) => {
        if (second !== undefined || !text.includes('classify: started')) return;
        second = runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages: {} }).finally(() => child.interrupt());
      },
    });
    assert.is(first.code, 75);
    const refused = await second;
    assert.is(refused?.code, 75);
    assert.match(refused?.stderr ?? '', /error: .*runs is in use by the run of experiment tiny \(process \d+/);
  }));

// `cdsp run … 2>&1 | tee log`: Ctrl-C ends tee as well, and often first.
test('Ctrl-C stops the run in order although nobody reads its progress any more', () =>
  withExperiment(async (folder) => {
    let pressed = false;
    const { code, stdout } = await runCli(['run', 'tiny.yaml', '--no-report'], {
      cwd: folder,
      stages: { classify: [{ hold: true }] },
      onOutput: (text, child) => {
        if (pressed || !text.includes('classify: started')) return;
        pressed = true;
        child.stopReading('stderr');
        child.interrupt();
      },
    });
    assert.is(code, 75);
    assert.match(stdout, /classify +interrupted\n[^]*The same command resumes\.\n$/);
  }));

test('a run whose events nobody reads any more stops in order', () =>
  withExperiment(async (folder) => {
    const { code, stderr } = await runCli(['run', 'tiny.yaml', '--no-report', '--json'], {
      cwd: folder,
      stages: { classify: [{ hold: true }] },
      onOutput: (_text, child) => child.stopReading('stdout'),
    });
    assert.equal([code, stderr], [75, '']);
    const { stages } = JSON.parse(readFileSync(join(folder, 'runs/lock.json'), 'utf8')) as { stages: unknown[] };
    assert.equal(stages, [], 'it has waited for its stage');
  }));

test.run();
