import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunEvent } from '../../../../operator/local/run-events.ts';
import type { RunSummary } from '../../../../operator/cli/summary.ts';
import { runCli } from '../cli-process.ts';
import { TINY, withExperiment, writeFiles } from '../fixtures.ts';

const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent | ({ type: 'summary' } & RunSummary) | { type: 'error'; exitCode: number; file?: string });

test('a run shows its stages, ends with a summary and writes a report; a second one reuses everything', () =>
  withExperiment(async (folder) => {
    const first = await runCli(['run', 'tiny.yaml'], { cwd: folder, stages: {} });
    assert.is(first.code, 0, first.stderr);
    assert.match(
      first.stderr,
      /classify: started\n.*classify: complete, .*\n.*pseudo-label: started\n[^]*evaluate: complete, .* mIoU 50\.0 %\n$/,
    );
    assert.match(
      first.stdout,
      /stage +time\nclassify +[\d.]+ s\n[^]*report +runs\/reports\/tiny\.html\n[^]*predict .* predict runs\/stages\/segment\/[0-9a-f]{64} IMAGES/,
    );
    assert.match(readFileSync(join(folder, 'runs/reports/tiny.html'), 'utf8'), /<title>tiny/);

    const second = await runCli(['run', 'tiny.yaml'], { cwd: folder, stages: {} });
    assert.is(second.code, 0);
    assert.not.match(second.stderr, /started/);
    assert.match(second.stderr, /segment: done before, mIoU 50\.0 %/);

    const plan = await runCli(['plan', 'tiny.yaml'], { cwd: folder, stages: {} });
    assert.match(
      plan.stdout,
      /evaluate +reuse +[0-9a-f]{12} +complete with the same inputs\n\nNothing to do: every stage is complete\.\n$/,
    );

    const [artifact] = globSync('runs/stages/segment/*/result.txt', { cwd: folder });
    writeFileSync(join(folder, artifact), readFileSync(join(folder, artifact), 'utf8').replace(/[0-9a-f]/g, '0'));
    const verified = await runCli(['plan', 'tiny.yaml', '--verify'], { cwd: folder, stages: {} });
    assert.match(verified.stdout, /segment +resume [^]*Would run: segment\.\n$/);
    assert.match(verified.stderr, /^warning: segment runs again: not as the stage left them: result\.txt \(.*\)\n$/);

    const report = await runCli(['report', 'runs', '--output', 'again.html'], { cwd: folder });
    assert.equal([report.code, report.stdout], [0, 'again.html\n']);
    assert.ok(existsSync(join(folder, 'again.html')));
  }));

test('a run with --json prints one event a line on standard output and nothing else', () =>
  withExperiment(async (folder) => {
    const { code, stdout, stderr } = await runCli(['run', 'tiny.yaml', '--json', '--no-report', '--storage', 'elsewhere'], {
      cwd: folder,
      stages: {},
    });
    assert.equal([code, stderr], [0, '']);
    const events = jsonLines(stdout);
    assert.is(events[0].type, 'plan');
    const ends = events.flatMap((event) => (event.type === 'end' ? [`${event.stage} ${event.outcome}`] : []));
    assert.equal(ends, ['classify Complete', 'pseudo-label Complete', 'segment Complete', 'evaluate Complete']);
    const last = events.at(-1);
    assert.ok(last?.type === 'summary');
    assert.equal([last.outcome, last.exitCode, last.report], ['Succeeded', 0, undefined]);
    assert.match(last.storage, /elsewhere$/);
    assert.not.ok(existsSync(join(folder, 'elsewhere/reports')));
  }));

test('a run up to a stage leaves the later ones', () =>
  withExperiment(async (folder) => {
    const { code, stderr } = await runCli(['run', 'tiny.yaml', '--until', 'pseudo-label', '--no-report'], { cwd: folder, stages: {} });
    assert.is(code, 0);
    assert.match(stderr, /pseudo-label: complete/);
    assert.not.match(stderr, /segment/);
  }));

test('a stage with bad input ends the run with its file, field and message', () =>
  withExperiment(async (folder) => {
    const stages = { segment: [{ exitCode: 65 }] };
    const { code, stdout, stderr } = await runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages });
    assert.is(code, 65);
    assert.match(stderr, /segment: failed after .*\nerror: cat\.jpg: spec\.x: as told\n$/);
    assert.match(stdout, /segment +failed\nevaluate +pending\n/);
  }));

test('a stage that fails for another reason says that the same command resumes', () =>
  withExperiment(async (folder) => {
    const { code, stderr } = await runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages: { classify: [{ exitCode: 1 }] } });
    assert.is(code, 1);
    assert.match(stderr, /error: classify: .*as told\nStarting the same command again resumes\.\n$/);
  }));

test('a bad experiment ends --json with an error event', () =>
  withExperiment(async (folder) => {
    writeFiles(folder, { 'bad.yaml': TINY.replace('train: 2', 'train: many') });
    const { code, stdout, stderr } = await runCli(['run', 'bad.yaml', '--json'], { cwd: folder });
    assert.is(code, 65);
    assert.match(stderr, /^error: bad\.yaml: spec\.dataset\.generator\.train /);
    const [event, ...more] = jsonLines(stdout);
    assert.equal([event.type, more.length], ['error', 0]);
  }));

test.run();
