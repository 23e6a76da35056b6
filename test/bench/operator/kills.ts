import { setTimeout as delay } from 'node:timers/promises';
import { STAGES } from '../../../operator/api/experiment.ts';
import { jobsPath } from '../../../operator/controller/resource-paths.ts';
import { buildExperiment, createExperiment, createVolume, LAST_WORDS, NAMESPACE, startBench } from './bench.ts';
import type { Bench } from './bench.ts';
import { observe } from './observer.ts';
import type { Observer } from './observer.ts';
import { startOperator } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';
import { median } from './statistics.ts';
import { formatMs } from './table.ts';
import type { Finding } from './table.ts';
import { assertNoDuplicates } from './timeline.ts';

/** Shorter than the operator needs to start: its pods end while nobody looks. */
const POD_MS = 100;

export interface KillOptions {
  readonly entry: string;
  readonly repetitions: number;
}

/** When the operator is killed: while a stage's pod runs, or as it succeeds, when requests for the next stage are on their way. */
type Moment = 'runningAt' | 'succeededAt';

/**
 * Lets an experiment run until a stage, kills the leader at that moment and has it replaced.
 * @returns milliseconds from SIGKILL to the next stage's pod
 */
async function killDuring(
  bench: Bench,
  observer: Observer,
  { index, moment, leader, replace }: { index: number; moment: Moment; leader: OperatorProcess; replace: () => Promise<void> },
): Promise<number> {
  const name = `kill-${index}`;
  const stage = index % (STAGES.length - 1);
  const podOf = (position: number) => observer.pods().find((pod) => pod.experiment === name && pod.stage === STAGES[position]);
  await createVolume(bench, `cdsp-${name}`);
  await createExperiment(bench, buildExperiment(name, index));
  await observer.until(`${name} to be at ${STAGES[stage]}`, () => podOf(stage)?.[moment] !== undefined);
  const killedAt = performance.now();
  await leader.stop('SIGKILL');
  const replaced = replace();
  await observer.until(`the pod after ${STAGES[stage]} of ${name}`, () => podOf(stage + 1) !== undefined);
  await replaced;
  const ms = (podOf(stage + 1)?.createdAt ?? 0) - killedAt;
  await observer.until(`${name} to succeed`, () => observer.count('Succeeded') === index + 1);
  return ms;
}

interface Job {
  readonly metadata: { readonly name: string };
}

async function assertOneJobAStage({ cluster }: Bench, experiments: number): Promise<void> {
  const { items } = await cluster.client.expect<{ items: Job[] }>('GET', jobsPath(NAMESPACE));
  const wanted = experiments * STAGES.length;
  if (items.length !== wanted) throw new Error(`${items.length} Jobs for ${experiments} experiments; ${wanted} were to be made`);
}

const ENDS = [{ name: 'all', runMs: POD_MS, message: LAST_WORDS }];
const momentOf = (index: number): Moment => (index % 2 === 0 ? 'runningAt' : 'succeededAt');

/** The container is restarted: the same identity comes back at once. */
async function restarts({ entry, repetitions }: KillOptions): Promise<number[]> {
  await using bench = await startBench({ entry, ends: ENDS });
  const observer = await observe(bench);
  let leader = await startOperator(bench);
  await leader.leading();
  const times: number[] = [];
  for (let index = 0; index < repetitions; index++) {
    const replace = async () => void (leader = await startOperator(bench));
    times.push(await killDuring(bench, observer, { index, moment: momentOf(index), leader, replace }));
  }
  await observer.stop();
  assertNoDuplicates(observer.pods());
  await assertOneJobAStage(bench, repetitions);
  return times;
}

/** A second replica waits, and takes over when the leader's lease has run out. */
async function takeOvers({ entry, repetitions }: KillOptions): Promise<number[]> {
  await using bench = await startBench({ entry, ends: ENDS });
  const observer = await observe(bench);
  let leader = await startOperator(bench, 'operator-0');
  await leader.leading();
  let other = await startOperator(bench, 'operator-1');
  await other.synced();
  const times: number[] = [];
  for (let index = 0; index < repetitions; index++) {
    // Somewhere between two renewals of the lease, each time elsewhere.
    await delay((1500 * index) / repetitions);
    const replace = () => other.leading();
    // While a pod runs only: one that has succeeded may have been followed before the leader was gone.
    times.push(await killDuring(bench, observer, { index, moment: 'runningAt', leader, replace }));
    leader = other;
    other = await startOperator(bench, `operator-${index + 2}`);
    await other.synced();
  }
  await observer.stop();
  assertNoDuplicates(observer.pods());
  await assertOneJobAStage(bench, repetitions);
  return times;
}

/** The operator killed in the middle of experiments, at once and without a word. */
export async function measureKills(options: KillOptions): Promise<Finding> {
  const [same, other] = [await restarts(options), await takeOvers(options)];
  const row = (what: string, times: readonly number[], limitMs: number) => ({
    measure: `SIGKILL → next pod, ${what}, worst (p50) of ${times.length}; no duplicate pod or Job`,
    measured: `${formatMs(Math.max(...times))} (${formatMs(median(times))})`,
    toReach: formatMs(limitMs),
    isReached: Math.max(...times) <= limitMs,
  });
  return { rows: [row('same identity restarted', same, 1000), row('a replica that waits', other, 6000)], notes: [] };
}
