import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../operator/api/experiment.ts';
import type { Plan, PlannedStage } from '../../operator/plan/plan.ts';
import type { StageRunner } from '../../operator/plan/stage-runner.ts';
import type { StageState } from '../../operator/plan/stage-state.ts';
import type { ClusterTest } from '../cluster/requirements.ts';
import type { FakeBehaviour } from '../fixtures/fake-stage.ts';

/** A runner under test, on storage of its own. */
export interface RunnerUnderTest {
  readonly runner: StageRunner;
  readonly plan: Plan;
  /** Resolves when no stage runs. */
  readonly settle: () => Promise<void>;
  /** Resolves when this attempt at the stage, the first being 1, has reported progress. */
  readonly progressed: (stage: StageName, attempt: number) => Promise<void>;
  /** A runner for the next run of the same plan on the same storage: of a restarted program, or for another experiment. */
  readonly nextRun: () => Promise<RunnerUnderTest>;
  /** Tries again by itself, `plan.retries` times, and counts kills as failures, as Jobs do; else each start is one attempt. */
  readonly retriesItself: boolean;
  /** Looks at the artifacts itself; else it knows what stages and records say of them, as an operator does. */
  readonly seesArtifacts: boolean;
}

/** Makes a runner whose stages behave as told (test/fixtures/fake-stage.ts), and cleans up after `use`. */
export type WithRunner = (
  behaviours: Partial<Record<StageName, FakeBehaviour[]>>,
  use: (made: RunnerUnderTest) => Promise<void>,
) => Promise<void>;

/**
 * What every stage runner has to do; each implementation's test file calls this.
 * @param declare how a test is declared, where that depends on the machine
 */
export function testStageRunner(name: string, withRunner: WithRunner, declare: ClusterTest = test): void {
  const stageOf = (plan: Plan, index: number): PlannedStage => plan.stages[index];
  const stateOf = async ({ runner, plan }: RunnerUnderTest, index = 0): Promise<StageState> => {
    const state = (await runner.observe(plan)).get(stageOf(plan, index).name);
    assert.ok(state, 'every stage of the plan is observed');
    return state;
  };
  /** Attempts that one start leads to, where all of them fail. */
  const attemptsOf = ({ plan, retriesItself }: RunnerUnderTest) => (retriesItself ? plan.retries + 1 : 1);
  const runToEnd = async ({ runner, plan, settle }: RunnerUnderTest, index = 0) => {
    await runner.start(plan, stageOf(plan, index));
    await settle();
  };
  const cases: [why: string, behaviours: Parameters<WithRunner>[0], use: Parameters<WithRunner>[1]][] = [
    [
      'before anything is started every stage is Pending',
      {},
      async (made) => {
        const observed = await made.runner.observe(made.plan);
        assert.equal(
          [...observed],
          made.plan.stages.map((stage) => [stage.name, { kind: 'Pending' }]),
        );
      },
    ],
    [
      'a stage that was started runs, then is complete',
      { classify: [{ hold: true }] },
      async (made) => {
        await made.runner.start(made.plan, stageOf(made.plan, 0));
        await made.progressed('classify', 1);
        assert.equal(await stateOf(made), { kind: 'Running', failures: 0, interruptions: 0 });
        await made.runner.stop(made.plan, stageOf(made.plan, 0));
        await made.settle();
      },
    ],
    [
      'a complete stage is Complete in the run that made it and Cached in the next',
      {},
      async (made) => {
        await runToEnd(made);
        assert.equal(await stateOf(made), { kind: 'Complete' });
        assert.equal(await stateOf(await made.nextRun()), { kind: 'Cached' });
      },
    ],
    [
      'a stage finds its upstream artifacts',
      {},
      async (made) => {
        await runToEnd(made, 0);
        await runToEnd(made, 1);
        assert.equal(await stateOf(made, 1), { kind: 'Complete' });
      },
    ],
    [
      'starting what runs or is complete does nothing',
      {},
      async (made) => {
        const [first] = made.plan.stages;
        await made.runner.start(made.plan, first);
        await made.runner.start(made.plan, first);
        await made.settle();
        await made.runner.start(made.plan, first);
        assert.equal(await stateOf(made), { kind: 'Complete' });
      },
    ],
    [
      'a failure is observed with its exit code and message, and counted',
      { classify: [{ exitCode: 3 }] },
      async (made) => {
        for (let attempts = 0; attempts < 2;) {
          await runToEnd(made);
          attempts += attemptsOf(made);
          const state = await stateOf(made);
          assert.ok(state.kind === 'Failed');
          assert.equal([state.exitCode, state.message, state.failures], [3, 'as told', attempts]);
        }
      },
    ],
    [
      'bad input names file and field',
      { classify: [{ exitCode: 65 }] },
      async (made) => {
        await runToEnd(made);
        const state = await stateOf(made);
        assert.ok(state.kind === 'Failed');
        assert.equal([state.exitCode, state.file, state.field], [65, 'cat.jpg', 'spec.x']);
      },
    ],
    [
      'a crash is a failure',
      { classify: [{ signal: 'SIGSEGV' }] },
      async (made) => {
        await runToEnd(made);
        const state = await stateOf(made);
        assert.ok(state.kind === 'Failed' && state.failures === attemptsOf(made));
      },
    ],
    [
      'exit 0 without a manifest is a failure, seen at once or when the next stage does not find the artifacts',
      { classify: [{ noManifest: true }] },
      async (made) => {
        await runToEnd(made);
        if (!made.seesArtifacts) {
          await runToEnd(made, 1);
          return assert.equal([await stateOf(made, 0), await stateOf(made, 1)], [{ kind: 'Pending' }, { kind: 'Pending' }]);
        }
        const state = await stateOf(made);
        assert.ok(state.kind === 'Failed');
        assert.match(state.message, /manifest/);
      },
    ],
    [
      'a stage that is stopped is Interrupted, counts no failure, and goes on when started again',
      { classify: [{ hold: true }, {}] },
      async (made) => {
        const [first] = made.plan.stages;
        await made.runner.start(made.plan, first);
        await made.progressed('classify', 1);
        await made.runner.stop(made.plan, first);
        await made.settle();
        const state = await stateOf(made);
        assert.ok(state.kind === 'Interrupted' && state.failures === 0);
        await runToEnd(made);
        assert.equal(await stateOf(made), { kind: 'Complete' });
      },
    ],
    [
      'a stage that is killed without getting further is not started for ever: interruptions add up, or count as failures',
      { classify: [{ steps: 0, signal: 'SIGKILL', hold: true }] },
      async (made) => {
        await runToEnd(made);
        if (made.retriesItself) {
          const state = await stateOf(made);
          return assert.ok(state.kind === 'Failed' && state.failures > made.plan.retries && state.exitCode === 137);
        }
        await runToEnd(made);
        assert.equal(await stateOf(made), { kind: 'Interrupted', failures: 0, interruptions: 2 });
      },
    ],
    [
      'a failure that comes before an interruption still counts after it',
      { classify: [{ exitCode: 3 }, { hold: true }, { exitCode: 3 }] },
      async (made) => {
        const [first] = made.plan.stages;
        if (!made.retriesItself) await runToEnd(made);
        await made.runner.start(made.plan, first);
        await made.progressed('classify', 2);
        await made.runner.stop(made.plan, first);
        await made.settle();
        await runToEnd(made);
        const state = await stateOf(made);
        assert.ok(state.kind === 'Failed' && state.failures === 2);
      },
    ],
    [
      'what an earlier run left unfinished can be started, without any attempts: Interrupted where the artifacts are seen, else Pending',
      { classify: [{ exitCode: 3 }] },
      async (made) => {
        await runToEnd(made);
        const interrupted = { kind: 'Interrupted', failures: 0, interruptions: 0 };
        assert.equal(await stateOf(await made.nextRun()), made.seesArtifacts ? interrupted : { kind: 'Pending' });
      },
    ],
    [
      'stopping what does not run does nothing',
      {},
      async (made) => {
        await made.runner.stop(made.plan, stageOf(made.plan, 0));
        assert.equal(await stateOf(made), { kind: 'Pending' });
      },
    ],
  ];
  for (const [why, behaviours, use] of cases) declare(`${name}: ${why}`, () => withRunner(behaviours, use));
}
