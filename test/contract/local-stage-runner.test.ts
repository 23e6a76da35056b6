import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import type { StageName } from '../../operator/api/experiment.ts';
import { createLocalStageRunner } from '../../operator/local/local-stage-runner.ts';
import { resolvePaths } from '../../operator/local/paths.ts';
import type { RunEvent } from '../../operator/local/run-events.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';
import { experiment, plan } from '../operator/plan/experiments.ts';
import { testStageRunner } from './stage-runner.ts';
import type { RunnerUnderTest } from './stage-runner.ts';

const TRAINER = fileURLToPath(new URL('../fixtures/fake-stage.ts', import.meta.url));

function make(folder: string): RunnerUnderTest {
  const seen = new Set<StageName>();
  const waiting = new Map<StageName, () => void>();
  const onEvent = (event: RunEvent) => {
    if (event.type === 'start') seen.delete(event.stage);
    if (event.type !== 'stage' || event.event.type !== 'progress') return;
    seen.add(event.stage);
    waiting.get(event.stage)?.();
  };
  const runner = createLocalStageRunner({ experiment: resolvePaths(experiment(), folder), trainer: TRAINER, now: () => 0, onEvent });
  return {
    runner,
    plan: plan({ retries: 1 }),
    settle: () => runner.settled(),
    progressed: (stage) => (seen.has(stage) ? Promise.resolve() : new Promise((resolve) => waiting.set(stage, resolve))),
    nextRun: () => Promise.resolve(make(folder)),
    retriesItself: false,
    seesArtifacts: true,
  };
}

testStageRunner('local processes', (behaviours, use) =>
  withFolder(async (folder) => {
    process.env.FAKE_STAGE = JSON.stringify(behaviours);
    await use(make(folder));
  }),
);

test.run();
