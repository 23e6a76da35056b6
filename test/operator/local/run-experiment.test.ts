import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../../operator/api/experiment.ts';
import { readRecord } from '../../../operator/local/experiment-record.ts';
import type { RunEvent } from '../../../operator/local/run-events.ts';
import { forecastExperiment, runExperiment } from '../../../operator/local/run-experiment.ts';
import type { RunOptions, RunResult } from '../../../operator/local/run-experiment.ts';
import { lockStorage } from '../../../operator/local/lock.ts';
import type { FakeBehaviour } from '../../fixtures/fake-stage.ts';
import { experiment } from '../plan/experiments.ts';
import { withFolder } from './temporary-folder.ts';

const TRAINER = fileURLToPath(new URL('../../fixtures/fake-stage.ts', import.meta.url));

interface Told {
  readonly result: RunResult;
  /** What started and ended, in order: "start classify 1", "end classify Complete", … */
  readonly story: string[];
  readonly notes: string[];
}

/** A clock that passes every retry delay. */
function fastClock(): () => number {
  let now = 0;
  return () => (now += 60_000);
}

async function run(
  folder: string,
  spec: Record<string, unknown> = {},
  behaviours: Partial<Record<StageName, FakeBehaviour[]>> = {},
  options: Partial<RunOptions> = {},
): Promise<Told> {
  const story: string[] = [];
  const notes: string[] = [];
  const onEvent = (event: RunEvent) => {
    if (event.type === 'start') story.push(`start ${event.stage} ${event.attempt}`);
    if (event.type === 'end') story.push(`end ${event.stage} ${event.outcome}`);
    if (event.type === 'note') notes.push(event.message);
    options.onEvent?.(event);
  };
  process.env.FAKE_STAGE = JSON.stringify(behaviours);
  const result = await runExperiment(experiment(spec), { baseFolder: folder, trainer: TRAINER, now: fastClock(), ...options, onEvent });
  return { result, story, notes };
}

const kinds = (result: RunResult) => result.stages.map(({ state }) => state.kind);

test('a run goes through all stages; the next one reuses them; an edit runs what it affects', () =>
  withFolder(async (folder) => {
    const first = await run(folder);
    assert.is(first.result.outcome, 'Succeeded');
    assert.is(first.result.exitCode, 0);
    assert.equal(first.story, [
      'start classify 1',
      'end classify Complete',
      'start pseudo-label 1',
      'end pseudo-label Complete',
      'start segment 1',
      'end segment Complete',
      'start evaluate 1',
      'end evaluate Complete',
    ]);
    const second = await run(folder);
    assert.equal(kinds(second.result), ['Cached', 'Cached', 'Cached', 'Cached']);
    assert.is(second.result.stages[3].manifest?.metrics.meanIou, 0.5);

    const edited = { losses: { lorm: { weight: 0.5 } } };
    const forecast = await forecastExperiment(experiment(edited), { baseFolder: folder });
    assert.equal(
      forecast.map(({ action, because }) => [action, because[0]]),
      [
        ['Reuse', 'complete with the same inputs'],
        ['Reuse', 'complete with the same inputs'],
        ['Run', 'losses.lorm.weight 1 → 0.5'],
        ['Run', 'segment changes'],
      ],
    );
    const third = await run(folder, edited);
    assert.equal(kinds(third.result), ['Cached', 'Cached', 'Complete', 'Complete']);
    assert.equal(
      readRecord(third.result.storage, 'test')?.stages.map(({ key }) => key),
      third.result.stages.map(({ key }) => key),
    );
  }));

test('bad input ends the run at once with exit code 65, file and field', () =>
  withFolder(async (folder) => {
    const { result, story } = await run(folder, {}, { 'pseudo-label': [{ exitCode: 65 }] });
    assert.equal([result.outcome, result.exitCode], ['Failed', 65]);
    assert.equal(result.failure, { stage: 'pseudo-label', message: 'as told', file: 'cat.jpg', field: 'spec.x' });
    assert.equal(story.slice(2), ['start pseudo-label 1', 'end pseudo-label Failed']);
  }));

test('something that set-up did not provide ends the run at once with exit code 69 and says what', () =>
  withFolder(async (folder) => {
    const { result, story } = await run(folder, {}, { classify: [{ exitCode: 69 }] });
    assert.equal([result.outcome, result.exitCode, result.failure?.message], ['Failed', 69, 'as told']);
    assert.equal(story, ['start classify 1', 'end classify Failed']);
  }));

test('a failed stage is tried again as often as retries allow', () =>
  withFolder(async (folder) => {
    const { result, story } = await run(folder, { retries: 1 }, { classify: [{ exitCode: 3 }] });
    assert.equal(story, ['start classify 1', 'end classify Failed', 'start classify 2', 'end classify Failed']);
    assert.equal([result.outcome, result.exitCode], ['Failed', 1], 'a code that is not documented becomes 1');
    assert.match(result.failure?.message ?? '', 'failed 2 times: as told');
  }));

test('a stage that succeeds in the end lets the run go on', () =>
  withFolder(async (folder) => {
    const { result } = await run(folder, {}, { classify: [{ signal: 'SIGABRT' }, { signal: 'SIGKILL', steps: 8 }, {}] });
    assert.is(result.outcome, 'Succeeded');
  }));

test('a program that cannot be a stage fails with what it printed', () =>
  withFolder(async (folder) => {
    const trainer = join(folder, 'broken.ts');
    writeFileSync(trainer, 'console.error("no such library"); process.exit(9);');
    const { result } = await run(folder, { retries: 0 }, {}, { trainer });
    assert.is(result.exitCode, 1);
    assert.match(result.failure?.message ?? '', /exit code 9; its last output:\nno such library/);
  }));

test('a stage that is placed without GPUs sees none', () =>
  withFolder(async (folder) => {
    const trainer = join(folder, 'blind.ts');
    writeFileSync(trainer, 'console.error(`GPUs: ${process.env.CUDA_VISIBLE_DEVICES}`); process.exit(65);');
    const message = async (placement: object) => (await run(folder, { placement }, {}, { trainer })).result.failure?.message;
    assert.match((await message({ default: { gpus: 0 } })) ?? '', 'GPUs: -1');
    assert.not.match((await message({ default: { gpus: 0 }, classify: { gpus: 1 } })) ?? '', 'GPUs: -1');
  }));

test('an abort stops the stage with a checkpoint; the next run goes on from it', () =>
  withFolder(async (folder) => {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      if (event.type === 'stage' && event.stage === 'segment') controller.abort();
    };
    const behaviours = { segment: [{ hold: true }, { steps: 1 }] };
    const first = await run(folder, {}, behaviours, { signal: controller.signal, onEvent });
    assert.equal([first.result.outcome, first.result.exitCode], ['Interrupted', 75]);
    assert.equal(kinds(first.result), ['Complete', 'Complete', 'Interrupted', 'Pending']);
    const [, , segment] = await forecastExperiment(experiment(), { baseFolder: folder });
    assert.is(segment.action, 'Resume');
    const second = await run(folder, {}, behaviours);
    assert.is(second.result.outcome, 'Succeeded');
    const [steps] = readFileSync(join(second.result.stages[2].folder, 'result.txt'), 'utf8').split(' ');
    assert.ok(Number(steps) >= 1, 'it began where the first run had stopped');
    assert.equal(second.story.slice(0, 3), ['end classify Cached', 'end pseudo-label Cached', 'start segment 1']);
  }));

test('after a stage that failed a plan does not speak of stages that were never begun', () =>
  withFolder(async (folder) => {
    const failed = await run(folder, {}, { classify: [{ exitCode: 65, steps: 0 }] });
    assert.equal(kinds(failed.result), ['Failed', 'Pending', 'Pending', 'Pending']);
    const told = async (spec: Record<string, unknown>) =>
      (await forecastExperiment(experiment(spec), { baseFolder: folder })).map(({ action, because }) => `${action}: ${because.join('; ')}`);
    const rest = Array.from({ length: 3 }, () => 'Run: not run yet');
    assert.equal(await told({}), ['Run: unfinished, without a checkpoint; begins again', ...rest]);
    assert.equal(await told({ classify: { epochs: 9 } }), ['Run: classify.epochs 10 → 9', ...rest]);
  }));

test('an abort before anything starts starts nothing', () =>
  withFolder(async (folder) => {
    const { result, story } = await run(folder, {}, {}, { signal: AbortSignal.abort() });
    assert.is(result.outcome, 'Interrupted');
    assert.equal(story, []);
  }));

test('a stage that does not stop in time is killed', () =>
  withFolder(async (folder) => {
    const trainer = join(folder, 'deaf.ts');
    const progress = JSON.stringify({ type: 'progress', label: '', done: 1, total: 2, unit: 'step' });
    writeFileSync(trainer, `process.on('SIGTERM', () => {}); console.log('${progress}'); setInterval(() => {}, 1000);`);
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      if (event.type === 'stage') controller.abort();
    };
    const { result } = await run(folder, {}, {}, { trainer, signal: controller.signal, graceMs: 1, onEvent });
    assert.is(result.outcome, 'Interrupted');
  }));

for (const [why, change, isTold] of [
  ['are replaced', (file: string) => writeFileSync(file, 'other weights'), true],
  ['are deleted', (file: string) => rmSync(file), true],
  ['stay as they are', () => undefined, false],
] as const) {
  test(`files that ${why} while the run reads them ${isTold ? 'are told' : 'are no matter'}`, () =>
    withFolder(async (folder) => {
      const weights = join(folder, 'resnet50.pth');
      writeFileSync(weights, 'weights');
      const onEvent = (event: RunEvent) => {
        if (event.type === 'start' && event.stage === 'segment') change(weights);
      };
      const { result, notes } = await run(folder, { model: { weights } }, {}, { onEvent });
      assert.is(result.outcome, 'Succeeded');
      assert.is(
        notes.some((note) => note.includes('changed while the run was going on')),
        isTold,
      );
    }));
}

test('a suspended experiment starts nothing', () =>
  withFolder(async (folder) => {
    const { result, story } = await run(folder, { suspend: true });
    assert.equal([result.outcome, result.exitCode, story.length], ['Suspended', 0, 0]);
  }));

test('a damaged artifact is noticed, and its stage runs again', () =>
  withFolder(async (folder) => {
    const { result } = await run(folder);
    truncateSync(join(result.stages[1].folder, 'result.txt'), 1);
    const again = await run(folder);
    assert.equal(kinds(again.result), ['Cached', 'Complete', 'Cached', 'Cached']);
    assert.match(again.notes.join('\n'), /pseudo-label runs again: not as the stage left them: result\.txt/);
  }));

test('a classifier that was deleted is not trained again while its pseudo-labels are there', () =>
  withFolder(async (folder) => {
    const { result } = await run(folder);
    rmSync(result.stages[0].folder, { recursive: true });
    const again = await run(folder);
    assert.is(again.result.outcome, 'Succeeded');
    assert.equal(kinds(again.result), ['Pending', 'Cached', 'Cached', 'Cached']);
    assert.match(again.notes.join('\n'), 'classify is left out: its artifacts are not there, and no stage needs them');
  }));

test('changed bytes of the same size are noticed with verify', () =>
  withFolder(async (folder) => {
    const { result } = await run(folder);
    const file = join(result.stages[0].folder, 'result.txt');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/./g, 'x'));
    assert.equal(kinds((await run(folder)).result)[0], 'Cached');
    assert.equal(kinds((await run(folder, {}, {}, { verify: true })).result)[0], 'Complete');
  }));

test('a run can end at a stage', () =>
  withFolder(async (folder) => {
    const { result } = await run(folder, {}, {}, { until: 'pseudo-label' });
    assert.is(result.outcome, 'Succeeded');
    assert.equal(kinds(result), ['Complete', 'Complete']);
  }));

test('while a run holds the folder another is refused, and nothing is touched', () =>
  withFolder(async (folder) => {
    const lock = await lockStorage(join(folder, 'runs'), { experiment: 'other', now: () => 0 });
    const error: unknown = await run(folder).catch((thrown: unknown) => thrown);
    assert.match((error as Error).message, /in use by the run of experiment other/);
    assert.not(existsSync(join(folder, 'runs', 'stages')));
    lock.release();
  }));

test('a forecast leaves no trace where nothing has run', () =>
  withFolder(async (folder) => {
    const forecast = await forecastExperiment(experiment(), { baseFolder: folder });
    assert.equal(
      forecast.map(({ action }) => action),
      ['Run', 'Run', 'Run', 'Run'],
    );
    assert.not(existsSync(join(folder, 'runs')));
  }));

test.run();
