import { setTimeout as delay } from 'node:timers/promises';
import { STAGES } from '../../../operator/api/experiment.ts';
import { experimentsPath } from '../../../operator/controller/resource-paths.ts';
import { buildExperiment, createExperiment, createVolume, NAMESPACE, startBench } from './bench.ts';
import type { Bench } from './bench.ts';
import { inParallel } from '../../in-parallel.ts';
import { createFinished, VOC_LAST_WORDS } from './finished-experiments.ts';
import { observe } from './observer.ts';
import type { Observer } from './observer.ts';
import { startOperator } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';
import { median } from './statistics.ts';
import { formatMs } from './table.ts';
import type { Finding } from './table.ts';
import { handOvers } from './timeline.ts';

const POD_MS = 300;
const WRITERS = 16;
const IDLE_MS = 40_000;
/** After its start the engine tidies its heap for some seconds, which is no part of being idle. */
const SETTLE_MS = 15_000;
/** Of those that are not finished: run to their end one after the other; the others get pods that run for ever. */
const HANDED_OVER = 20;
const LIMIT = { syncedMs: 20_000, megabytes: 350, handOverMs: 100, cpuPercent: 2 };

export interface TenThousandOptions {
  readonly entry: string;
  readonly finished: number;
  readonly unfinished: number;
  /** Ended pods that are still there; 0: neither pods nor Jobs are. */
  readonly pods: number;
}

const MERGE = 'application/merge-patch+json';
const pathOf = (name: string) => `${experimentsPath(NAMESPACE)}/${name}`;
const on = (node: string) => ({ placement: { default: { nodeSelector: { 'kubernetes.io/hostname': node } } } });
const [SHORT, ENDLESS] = ['simulated-0', 'simulated-1'];

/** @returns the names of those that are not finished */
async function createAll(bench: Bench, { finished, unfinished, pods }: TenThousandOptions): Promise<string[]> {
  await createFinished(bench, { count: finished, pods, node: SHORT });
  const names = Array.from({ length: unfinished }, (_, index) => `unfinished-${index}`);
  await inParallel([...names.entries()], WRITERS, async ([index, name]) => {
    await createVolume(bench, `cdsp-${name}`);
    const place = on(index < HANDED_OVER ? SHORT : ENDLESS);
    await createExperiment(bench, buildExperiment(name, finished + index, { suspend: true, ...place }));
  });
  return names;
}

/** Share of a core in per cent, over a while in which nothing is changed. */
async function cpuPercent(operator: OperatorProcess): Promise<number> {
  await operator.requests();
  await delay(SETTLE_MS);
  const [at, seconds] = [performance.now(), operator.cpuSeconds()];
  await delay(IDLE_MS);
  return (100_000 * (operator.cpuSeconds() - seconds)) / (performance.now() - at);
}

const resume = (bench: Bench, name: string) => bench.cluster.client.expect('PATCH', pathOf(name), { spec: { suspend: false } }, MERGE);

/** @returns milliseconds from the answer to each edit to the first pod */
async function runSome(bench: Bench, observer: Observer, names: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  const before = observer.count('Succeeded');
  for (const [index, name] of names.entries()) {
    await resume(bench, name);
    const editedAt = performance.now();
    await observer.until(`${name} to succeed`, () => observer.count('Succeeded') === before + index + 1);
    times.push(
      Math.min(
        ...observer
          .pods()
          .filter(({ experiment }) => experiment === name)
          .map(({ createdAt }) => createdAt),
      ) - editedAt,
    );
  }
  return times;
}

/** An operator among very many experiments, nearly all of which have ended. */
export async function measureTenThousand(options: TenThousandOptions): Promise<Finding> {
  const { entry, finished, unfinished, pods } = options;
  await using bench = await startBench({ entry, ends: [{ name: 'short', nodes: [SHORT], runMs: POD_MS, message: VOC_LAST_WORDS }] });
  const names = await createAll(bench, options);
  const operator = await startOperator(bench);
  const syncedMs = await operator.synced();
  const syncSeconds = operator.cpuSeconds();
  await operator.leading();
  const idle = await cpuPercent(operator);
  const memory = operator.memory();
  const observer = await observe(bench);
  const edits = await runSome(bench, observer, names.slice(0, HANDED_OVER));
  const seen = handOvers(observer.pods()).filter(({ to }) => names.includes(to.experiment));
  const times = seen.map(({ ms }) => ms);
  const rest = names.slice(HANDED_OVER);
  await inParallel(rest, WRITERS, (name) => resume(bench, name));
  await observer.until('pods that run', () => observer.pods().filter(({ phase }) => phase === 'Running').length === rest.length);
  await observer.stop();
  const busy = await cpuPercent(operator);
  const last = operator.memory();

  const left = pods === 0 ? 'their Jobs and pods gone' : `${STAGES.length * finished} Jobs and ${pods} ended pods of theirs left`;
  const count = `${finished + unfinished} experiments, ${finished} of them finished, ${left}`;
  const worst = Math.max(...times);
  const peak = Math.max(memory.peak, last.peak);
  return {
    rows: [
      { measure: `${count}: start to synced`, measured: formatMs(syncedMs), toReach: '20 s', isReached: syncedMs <= LIMIT.syncedMs },
      {
        measure: `${count}: resident memory, peak (when idle)`,
        measured: `${peak.toFixed(0)} MB (${memory.resident.toFixed(0)} MB)`,
        toReach: `${LIMIT.megabytes} MB`,
        isReached: peak <= LIMIT.megabytes,
      },
      {
        measure: `${count}: hand-over, worst (p50) of ${times.length}`,
        measured: `${formatMs(worst)} (${formatMs(median(times))})`,
        toReach: formatMs(LIMIT.handOverMs),
        isReached: worst <= LIMIT.handOverMs,
      },
      {
        measure: `${count}: CPU when idle, of one core`,
        measured: `${idle.toFixed(2)} %`,
        toReach: `${LIMIT.cpuPercent} %`,
        isReached: idle <= LIMIT.cpuPercent,
      },
    ],
    notes: [
      `${count}: its start takes ${syncSeconds.toFixed(1)} s of the operator's CPU time. A suspended one that is resumed has its first pod after ${formatMs(median(edits))} (worst ${formatMs(Math.max(...edits))}), its claim included. With ${rest.length} running pods that are asked for their progress the operator uses ${busy.toFixed(1)} % of a core and ${last.resident.toFixed(0)} MB.`,
    ],
  };
}
