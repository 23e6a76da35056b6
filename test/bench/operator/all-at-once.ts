import { availableParallelism } from 'node:os';
import type { ExperimentInput } from '../../../operator/api/experiment.ts';
import { countRequests, handOverParts, podTimes } from './audit-log.ts';
import { buildExperiment, createExperiment, createVolume, LAST_WORDS, OPERATOR_USER, startBench } from './bench.ts';
import type { Bench } from './bench.ts';
import { inParallel } from '../../in-parallel.ts';
import { observe } from './observer.ts';
import type { ObservedPod } from './observer.ts';
import { startOperator } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';
import { cpuSecondsOf } from './process-usage.ts';
import { median, percentile, sum } from './statistics.ts';
import { makeNextJobsOnly } from './next-job-only.ts';
import { formatMs } from './table.ts';
import type { Finding } from './table.ts';
import { assertNoDuplicates, handOvers } from './timeline.ts';
import { partsNote, shares, two } from './words.ts';

/** How fast the controller manager may ask, which runs the Job controller: all Jobs' pods are made by it. */
export const CONTROLLER_MANAGERS = {
  'default limits': ['--kube-api-qps=20', '--kube-api-burst=30'],
  'raised limits': ['--kube-api-qps=500', '--kube-api-burst=1000', '--concurrent-job-syncs=50'],
} as const;

export interface AllAtOnceOptions {
  readonly entry: string;
  readonly experiments: number;
  readonly controllerManager: keyof typeof CONTROLLER_MANAGERS;
  /** Whether all work on one claim that is there, or each on one that the operator makes for it. */
  readonly claims: 'shared' | 'own';
}

const SHARED = 'shared';
const SAMPLE_MS = 250;
const CREATORS = 16;

async function createSharedClaim(bench: Bench): Promise<void> {
  await createVolume(bench, SHARED);
  const spec = { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } };
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: SHARED }, spec };
  await bench.cluster.client.expect('POST', '/api/v1/namespaces/default/persistentvolumeclaims', claim);
}

interface Run {
  readonly pods: readonly ObservedPod[];
  /** From the first experiment's creation to the last one's success, in milliseconds. */
  readonly ms: number;
  readonly operator: OperatorProcess;
  /** The most that was resident at one of the looks, in megabytes. */
  readonly resident: number;
  /** CPU time of each program, in seconds. */
  readonly cpu: ReadonlyMap<string, number>;
}

/** CPU time of all programs that take part, in seconds. */
function cpuOf({ cluster, kwok }: Bench, operator?: OperatorProcess): Map<string, number> {
  const { etcd, apiServer, controllerManager, scheduler } = cluster;
  const programs = [operator?.program, apiServer, etcd, controllerManager, scheduler, kwok.program].filter(
    (program) => program !== undefined,
  );
  return new Map([...programs.map(({ name, pid }) => [name, cpuSecondsOf(pid)] as const), ['benchmark', process.cpuUsage().user / 1e6]]);
}

/** What was used in between. */
const difference = (after: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>) =>
  new Map([...after].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]));

/** The experiments, with volumes for their claims. */
async function prepare(bench: Bench, { experiments, claims }: AllAtOnceOptions): Promise<ExperimentInput[]> {
  const names = Array.from({ length: experiments }, (_, index) => `all-${index}`);
  if (claims === 'shared') await createSharedClaim(bench);
  else await inParallel(names, CREATORS, (name) => createVolume(bench, `cdsp-${name}`));
  const storage = claims === 'shared' ? { claimName: SHARED, accessModes: ['ReadWriteMany' as const] } : {};
  return names.map((name, seed) => buildExperiment(name, seed, { storage }));
}

async function runAll(bench: Bench, options: AllAtOnceOptions): Promise<Run> {
  const experiments = await prepare(bench, options);
  const observer = await observe(bench);
  const operator = await startOperator(bench);
  await operator.leading();

  let resident = 0;
  const sampling = setInterval(() => (resident = Math.max(resident, operator.memory().resident)), SAMPLE_MS);
  const [startedAt, cpuBefore] = [performance.now(), cpuOf(bench, operator)];
  await inParallel(experiments, CREATORS, (experiment) => createExperiment(bench, experiment));
  await observer.until('all to succeed', () => observer.count('Succeeded') === experiments.length);
  const ms = performance.now() - startedAt;
  const cpu = difference(cpuOf(bench, operator), cpuBefore);
  clearInterval(sampling);
  await operator.requests();
  await observer.stop();
  return { pods: observer.pods(), ms, operator, resident, cpu };
}

function start({ entry, controllerManager }: AllAtOnceOptions): Promise<Bench> {
  const ends = [{ name: 'all', runMs: 1000, jitterMs: 2000, message: LAST_WORDS }];
  return startBench({ entry, ends, controllerManagerArgs: CONTROLLER_MANAGERS[controllerManager] });
}

const describe = ({ experiments, claims, controllerManager }: AllAtOnceOptions) =>
  `${experiments} at once, ${claims === 'own' ? 'a claim each' : 'one claim'}, controller manager with ${controllerManager}`;

/** CPU time by program, and how much there was. */
const cpuNote = (ms: number, cpu: ReadonlyMap<string, number>) =>
  `CPU time in seconds, of ${((availableParallelism() * ms) / 1000).toFixed(0)} that the cores had: ${shares(cpu)}.`;

/** The same Jobs from a client that does nothing but make the next one: what the cluster itself takes on this machine. */
export async function measureNextJobOnly(options: AllAtOnceOptions): Promise<Finding> {
  await using bench = await start(options);
  const manifests = await prepare(bench, options);
  const [startedAt, cpuBefore] = [performance.now(), cpuOf(bench)];
  await makeNextJobsOnly(bench, manifests);
  const ms = performance.now() - startedAt;
  const cpu = difference(cpuOf(bench), cpuBefore);
  const logged = handOvers(podTimes(bench.requests())).map((each) => each.ms);
  const what = `a client that only makes the next Job, ${describe(options)}`;
  return {
    rows: [
      { measure: `for comparison: hand-over, ${what}, p50 / p99 of ${logged.length}`, measured: two(logged), toReach: '' },
      { measure: `for comparison: all done, ${what}`, measured: formatMs(ms), toReach: '' },
    ],
    notes: [`${what}: ${cpuNote(ms, cpu)}`],
  };
}

/** Hundreds of experiments at once, pods of 1 to 3 s each step: hand-over, throughput and memory. */
export async function measureAllAtOnce(options: AllAtOnceOptions): Promise<Finding> {
  const { experiments, controllerManager } = options;
  await using bench = await start(options);
  const { pods, ms, operator, resident, cpu } = await runAll(bench, options);
  assertNoDuplicates(pods);
  const requests = bench.requests();
  const seen = handOvers(pods).map(({ ms: each }) => each);
  const logged = handOvers(podTimes(requests)).map(({ ms: each }) => each);
  const { work } = countRequests(requests, OPERATOR_USER);
  const where = describe(options);
  return {
    rows: [
      {
        measure: `hand-over, ${where}, p50 / p99 of ${seen.length}`,
        measured: two(seen),
        toReach: '0.6 / 1.5 s',
        isReached: median(seen) <= 600 && percentile(seen, 0.99) <= 1500,
      },
      { measure: `all done, ${where}`, measured: formatMs(ms), toReach: '35 s', isReached: ms <= 35_000 },
      {
        measure: `resident memory, ${where}`,
        measured: `${resident.toFixed(0)} MB (peak ${operator.memory().peak.toFixed(0)})`,
        toReach: '130 MB',
        isReached: resident <= 130,
      },
    ],
    notes: [
      `${where} (\`${CONTROLLER_MANAGERS[controllerManager].join(' ')}\`): by the audit log the hand-overs take ${two(logged)}. ${partsNote(handOverParts(requests, OPERATOR_USER))} Requests for an experiment: ${shares(work, experiments)}, together ${(sum(work.values()) / experiments).toFixed(1)}. ${cpuNote(ms, cpu)}`,
    ],
  };
}
