import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { ExperimentStatus } from '../../../operator/api/status.ts';
import { claimDigest, claimName, MANAGED_SELECTOR, shortKey } from '../../../operator/controller/names.ts';
import { experimentsPath, jobsPath, podsPath } from '../../../operator/controller/resource-paths.ts';
import { buildExperiment, createExperiment, createVolume, NAMESPACE } from './bench.ts';
import type { Bench } from './bench.ts';
import { readStored, renamed, store } from './etcd-copies.ts';
import type { StoredObject } from './etcd-copies.ts';
import { observe } from './observer.ts';
import { startOperator } from './operator-process.ts';
import { cpuSecondsOf } from './process-usage.ts';

const RESULT = { meanIou: 0.6279, pixelAccuracy: 0.9013, iou: Array.from({ length: 21 }, (_, index) => (4111 + 197 * index) / 10_000) };
/**
 * What a stage on 21 classes leaves as its last word: all that a status shows of it. The trainer's stages write such a one at most, the first two
 * a shorter one.
 */
export const VOC_LAST_WORDS = JSON.stringify({
  result: {
    ...RESULT,
    seconds: 1834.2,
    images: 1449,
    peakMemoryMiB: 1462,
    datasetDigest: createHash('sha256').update('VOC2012').digest('hex'),
    classes:
      'background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor'.split(
        ' ',
      ),
  },
});

const NUMBERS = [RESULT.meanIou, RESULT.pixelAccuracy, ...RESULT.iou].map(String).filter((text) => text.length === 6);

const DIGITS = 5;
export const finishedName = (index: number): string => `finished-${String(index).padStart(DIGITS, '0')}`;

const MERGE = 'application/merge-patch+json';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
/** A share of four digits that is always the same. */
const shareOf = (text: string) =>
  `0.${String(parseInt(sha256(text).slice(0, 8), 16))
    .slice(-4)
    .padStart(4, '1')}`;
/** A uid in its usual form that is always the same. */
const uidOf = (text: string) => sha256(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');

const DAY_MS = 86_400_000;
/** A time of the API from one to three hundred days before. */
function longBefore(time: string, name: string): string {
  const days = 1 + (parseInt(sha256(name).slice(0, 8), 16) % 300);
  return new Date(Date.parse(time) - days * DAY_MS).toISOString().replace('.000Z', 'Z');
}

interface Example {
  readonly experiment: StoredObject;
  readonly jobs: readonly StoredObject[];
  readonly pods: readonly StoredObject[];
  /** Names, uids and digests that are its own, for a copy of another name. */
  readonly namesOf: (name: string) => ReadonlyMap<string, string>;
}

interface Ended {
  readonly experiment: { readonly metadata: { readonly uid: string }; readonly status: ExperimentStatus };
  readonly jobs: readonly V1Job[];
  readonly pods: readonly V1Pod[];
}

/** What a kubelet tells of a pod beside what the simulated one does. */
async function tellAsKubelet({ cluster }: Bench, { metadata = {}, spec, status = {} }: V1Pod): Promise<void> {
  const { conditions = [], containerStatuses = [] } = status;
  const [container] = spec?.containers ?? [];
  const lastTransitionTime = conditions[0].lastTransitionTime;
  const more = { type: 'PodReadyToStartContainers', status: 'False', lastTransitionTime };
  const ofKubelet = {
    containerID: `containerd://${sha256(metadata.uid ?? '')}`,
    resources: {},
    volumeMounts: container.volumeMounts?.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      readOnly,
      recursiveReadOnly: 'Disabled',
    })),
    user: { linux: { uid: 65532, gid: 65532, supplementalGroups: [65532] } },
  };
  const reasons = conditions.map((condition) => (condition.status === 'False' ? { ...condition, reason: 'PodCompleted' } : condition));
  const { containerID } = ofKubelet;
  const told = containerStatuses.map((entry) => ({
    ...entry,
    ...ofKubelet,
    state: { terminated: { ...entry.state?.terminated, containerID } },
  }));
  const patch = { status: { conditions: [more, ...reasons], containerStatuses: told } };
  await cluster.client.expect('PATCH', `${podsPath(NAMESPACE)}/${metadata.name}/status`, patch, MERGE);
}

/** Runs one experiment to its end. */
async function runExample(bench: Bench, node: string): Promise<Ended> {
  const { client } = bench.cluster;
  const name = finishedName(0);
  const operator = await startOperator(bench);
  const observer = await observe(bench);
  await createVolume(bench, claimName({ name }));
  await createExperiment(bench, buildExperiment(name, 0, { placement: { default: { nodeSelector: { 'kubernetes.io/hostname': node } } } }));
  await observer.until('the example to succeed', () => observer.count('Succeeded') === 1);
  await observer.stop();
  const selector = `?labelSelector=${encodeURIComponent(MANAGED_SELECTOR)}`;
  const list = async <T>(path: string) => (await client.expect<{ items: T[] }>('GET', `${path}${selector}`)).items;
  // The last pod's end is seen before the Job controller has told it of the Job.
  await bench.cluster.waitUntil('the Jobs to be complete', async () => {
    const jobs = await list<V1Job>(jobsPath(NAMESPACE));
    const pods = await list<V1Pod>(podsPath(NAMESPACE));
    const isCounted = pods.every(({ metadata }) => (metadata?.finalizers ?? []).length === 0);
    return isCounted && jobs.every(({ status }) => status?.conditions?.some(({ type }) => type === 'Complete'));
  });
  await operator.stop('SIGTERM');
  for (const pod of await list<V1Pod>(podsPath(NAMESPACE))) await tellAsKubelet(bench, pod);
  return {
    experiment: await client.expect('GET', `${experimentsPath(NAMESPACE)}/${name}`),
    jobs: await list<V1Job>(jobsPath(NAMESPACE)),
    pods: await list<V1Pod>(podsPath(NAMESPACE)),
  };
}

async function readExample(bench: Bench, { experiment, jobs, pods }: Ended): Promise<Example> {
  const from = finishedName(0);
  const read = (prefix: string, name: string | undefined) => readStored(bench.cluster, `/registry/${prefix}/${NAMESPACE}/${name}`);
  const uids = [experiment, ...jobs, ...pods].map(({ metadata }) => metadata?.uid ?? '');
  const keys = (experiment.status.stages ?? []).map(({ key }) => key ?? '');
  const stored = await read('cdsp.dev/cdspexperiments', from);
  const times = stored.value.toString('latin1').match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g) ?? [];
  return {
    experiment: stored,
    jobs: await Promise.all(jobs.map(({ metadata }) => read('jobs', metadata?.name))),
    pods: await Promise.all(pods.map(({ metadata }) => read('pods', metadata?.name))),
    namesOf: (name) =>
      new Map([
        [from, name],
        [claimDigest(claimName({ name: from })), claimDigest(claimName({ name }))],
        ...uids.map((uid) => [uid, uidOf(`${uid} of ${name}`)] as const),
        // An hour after its end the metrics tell less of an experiment.
        ...times.map((time) => [time, longBefore(time, name)] as const),
        // Results are different ones, so that nobody saves memory by keeping one text for all.
        ...NUMBERS.map((number) => [number, shareOf(`${number} of ${name}`)] as const),
        ...keys.flatMap((key) => {
          const other = sha256(`${key} of ${name}`);
          return [[key, other] as const, [shortKey(key), shortKey(other)] as const];
        }),
      ]),
  };
}

export interface FinishedExperiments {
  readonly count: number;
  /** How many of their pods the controller manager has kept; 0: neither pods nor Jobs are left. */
  readonly pods: number;
  /** Where pods succeed. */
  readonly node: string;
}

/** Work that is left to the control plane's programs, as a share of one core, is none below this. */
const QUIET_SHARE = 0.15;
const WINDOW_MS = 3000;
const PATIENCE_MS = 600_000;

/** Resolves when the control plane has seen to all that has happened. */
async function untilQuiet({ cluster: { apiServer, controllerManager, scheduler } }: Bench): Promise<void> {
  const programs = [apiServer, controllerManager, scheduler].filter((program) => program !== undefined);
  const used = () => programs.map(({ pid }) => cpuSecondsOf(pid)).reduce((a, b) => a + b, 0);
  const until = performance.now() + PATIENCE_MS;
  for (let isQuiet = false; !isQuiet;) {
    const [at, seconds] = [performance.now(), used()];
    await delay(WINDOW_MS);
    isQuiet = (1000 * (used() - seconds)) / (performance.now() - at) < QUIET_SHARE || performance.now() > until;
  }
}

/**
 * Experiments that have ended: one is run, and the others are copies of it, of its Jobs and of its pods, byte by byte apart from their names, uids and
 * digests.
 */
export async function createFinished(bench: Bench, { count, pods, node }: FinishedExperiments): Promise<void> {
  const ended = await runExample(bench, node);
  const example = await readExample(bench, ended);
  const { cluster } = bench;
  const copies = count - 1;
  const nameOf = (index: number) => example.namesOf(finishedName(index + 1));
  // Owners first: the garbage collector asks for those that it has not seen.
  await store(cluster, copies, (index) => renamed(example.experiment, nameOf(index)));
  if (pods > 0) {
    const { jobs } = example;
    await store(cluster, copies * jobs.length, (index) => renamed(jobs[index % jobs.length], nameOf(Math.floor(index / jobs.length))));
    const copied = Math.min(pods, count * example.pods.length) - example.pods.length;
    await store(cluster, copied, (index) =>
      renamed(example.pods[index % example.pods.length], nameOf(copies - 1 - Math.floor(index / example.pods.length))),
    );
  } else {
    for (const { metadata } of ended.jobs)
      await cluster.client.expect('DELETE', `${jobsPath(NAMESPACE)}/${metadata?.name}?propagationPolicy=Background`);
  }
  await untilQuiet(bench);
}
