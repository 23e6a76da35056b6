import { setTimeout as delay } from 'node:timers/promises';
import type { StageName } from '../api/experiment.ts';
import { parseProgress } from './parse-progress.ts';

/** What a running stage says of itself, from its /progress. Every number is finite. */
export interface LiveProgress {
  readonly done: number;
  readonly total: number;
  readonly loss?: number;
  /** Latest loss by term, before its weight. */
  readonly losses?: readonly { readonly name: string; readonly value: number }[];
  readonly learningRate?: number;
  readonly gradientNorm?: number;
  readonly epoch?: number;
  readonly imagesPerSecond?: number;
  readonly meanIou?: number;
  /** By class, in the order of `classes`; null for a class that does not occur. */
  readonly iou?: readonly (number | null)[];
  readonly classes?: readonly string[];
}

/** A running pod of a stage, and whom its progress concerns. */
export interface StagePod {
  /** `namespace/name` of the experiments that share the stage. */
  readonly experiments: readonly string[];
  readonly stage: StageName;
  readonly podIP: string;
  /** The stage key or its first digits: an answer with another one is somebody else's, on an address that was given on. */
  readonly key: string;
}

export interface LiveProgressOptions {
  /** The running pods of stages as they are now. */
  readonly pods: () => Iterable<StagePod>;
  /** The body of a pod's /progress; rejects where there is no answer in time, or one that is too long. */
  readonly get: (podIP: string) => Promise<string>;
  /** What a status shows of this experiment (`namespace/name`) has changed. */
  readonly onChange: (experiment: string) => void;
  /** Between the beginnings of two rounds; 0: never. */
  readonly everySeconds: number;
  /** Pods that are asked at once. */
  readonly parallelism?: number;
  /** Resolves when a round has waited long enough; after the time between two rounds where nothing is given. */
  readonly patience?: () => Promise<unknown>;
  /** In milliseconds, never going back. */
  readonly now: () => number;
}

interface Entry {
  progress: LiveProgress | undefined;
  /** When it was told. */
  at: number;
  /** In a row. */
  failures: number;
  /** The round in which it is asked next. */
  nextRound: number;
  /** Its answer is still to come. */
  isAsked: boolean;
}

type StageProgress = ReadonlyMap<StageName, LiveProgress>;

const PARALLELISM = 64;
/** A pod that does not answer is asked in every second, fourth and then eighth round: it would keep others waiting. */
const LONGEST_PAUSE = 8;
const NOTHING: StageProgress = new Map();

/**
 * Asks the running pods of all stages for their progress, in rounds. For the leader alone: `start` when this replica leads, `stop` when it no longer
 * does. What is kept is one small record for each running pod; it goes with the pod.
 */
export class LiveProgressPoller {
  readonly #options: LiveProgressOptions;
  readonly #entries = new Map<string, Entry>();
  #byExperiment = new Map<string, Map<StageName, LiveProgress>>();
  #round = 0;
  /** Another one after each start and stop: what was begun before it has no say any more. */
  #term = 0;
  #isStarted = false;
  #timer: NodeJS.Timeout | undefined;
  /** Questions of all rounds that are not answered. */
  #open = 0;

  constructor(options: LiveProgressOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStarted || this.#options.everySeconds <= 0) return;
    this.#isStarted = true;
    void this.#run(++this.#term);
  }

  /** Asks no more, and forgets what was told: another replica knows better from now on. */
  stop(): void {
    this.#isStarted = false;
    this.#term++;
    clearTimeout(this.#timer);
    this.#entries.clear();
    this.#byExperiment = new Map();
  }

  /** The running stages of an experiment (`namespace/name`) that have told something. */
  of(experiment: string): StageProgress {
    return this.#byExperiment.get(experiment) ?? NOTHING;
  }

  async #run(term: number): Promise<void> {
    const began = this.#options.now();
    await this.poll();
    if (this.#term !== term) return;
    const wait = Math.max(0, began + 1000 * this.#options.everySeconds - this.#options.now());
    this.#timer = setTimeout(() => void this.#run(term), wait);
    this.#timer.unref();
  }

  /**
   * One round over all pods; `onChange` comes at its end. A training on a busy CPU may need many seconds for an answer: the round does not wait for
   * it, and a later one tells it. Never rejects.
   */
  async poll(): Promise<void> {
    const { everySeconds, parallelism = PARALLELISM } = this.#options;
    const { patience = () => delay(1000 * everySeconds, undefined, { ref: false }) } = this.#options;
    const term = this.#term;
    this.#round++;
    const pods = [...this.#options.pods()];
    this.#forgetOthers(pods);
    const queue = pods.filter((pod) => {
      const { isAsked, nextRound } = this.#entry(pod);
      return !isAsked && nextRound <= this.#round;
    });
    const worker = async () => {
      for (let pod = queue.pop(); pod !== undefined && this.#term === term; pod = queue.pop()) await this.#ask(pod);
    };
    const workers = Array.from({ length: Math.min(queue.length, parallelism - this.#open) }, worker);
    await Promise.race([Promise.all(workers), patience()]);
    // Whoever was not asked is so in the next round.
    queue.length = 0;
    if (this.#term === term) this.#tell(pods);
  }

  #forgetOthers(pods: readonly StagePod[]): void {
    const there = new Set(pods.map(idOf));
    for (const id of this.#entries.keys()) if (!there.has(id)) this.#entries.delete(id);
  }

  #entry(pod: StagePod): Entry {
    const id = idOf(pod);
    const entry = this.#entries.get(id) ?? { progress: undefined, at: 0, failures: 0, nextRound: 0, isAsked: false };
    this.#entries.set(id, entry);
    return entry;
  }

  async #ask(pod: StagePod): Promise<void> {
    const entry = this.#entry(pod);
    entry.isAsked = true;
    this.#open++;
    try {
      // A stage that has nothing to tell yet answers with its key alone: no failure, and no progress.
      entry.progress = parseProgress(await this.#options.get(pod.podIP), pod.key) ?? entry.progress;
      entry.at = this.#options.now();
      entry.failures = 0;
    } catch {
      entry.nextRound = this.#round + Math.min(LONGEST_PAUSE, 2 ** entry.failures++);
    }
    entry.isAsked = false;
    this.#open--;
  }

  /** Sums the pods up by experiment and stage, and tells whose status changes. */
  #tell(pods: readonly StagePod[]): void {
    const before = this.#byExperiment;
    const after = new Map<string, Map<StageName, LiveProgress>>();
    for (const [pod, progress] of this.#best(pods)) {
      for (const experiment of pod.experiments) {
        const stages = after.get(experiment) ?? new Map<StageName, LiveProgress>();
        after.set(experiment, stages.set(pod.stage, progress));
      }
    }
    this.#byExperiment = after;
    for (const experiment of new Set([...before.keys(), ...after.keys()])) {
      if (isDifferent(before.get(experiment) ?? NOTHING, after.get(experiment) ?? NOTHING)) this.#options.onChange(experiment);
    }
  }

  /** One pod for each stage: of several (shards, or an attempt beside the one before it) the one that has done most, then the latest. */
  #best(pods: readonly StagePod[]): [StagePod, LiveProgress][] {
    const best = new Map<string, { pod: StagePod; progress: LiveProgress; at: number }>();
    for (const pod of pods) {
      const { progress, at } = this.#entry(pod);
      if (progress === undefined) continue;
      const id = `${pod.stage} ${pod.key} ${pod.experiments.join()}`;
      const other = best.get(id);
      const isBetter =
        other === undefined || progress.done > other.progress.done || (progress.done === other.progress.done && at > other.at);
      if (isBetter) best.set(id, { pod, progress, at });
    }
    return [...best.values()].map(({ pod, progress }) => [pod, progress]);
  }
}

/** An address may go on to another pod: the key makes it another entry. */
const idOf = ({ podIP, stage, key }: StagePod): string => `${podIP} ${stage} ${key}`;

const percent = ({ done, total }: LiveProgress): number => Math.floor((100 * done) / Math.max(1, total));

/** Whether a status would say anything else. */
function isDifferent(before: StageProgress, after: StageProgress): boolean {
  if (before.size !== after.size) return true;
  return [...after].some(([stage, now]) => {
    const then = before.get(stage);
    if (then === undefined || percent(then) !== percent(now) || then.loss !== now.loss || then.meanIou !== now.meanIou) return true;
    const losses = now.losses ?? [];
    return (
      losses.length !== (then.losses ?? []).length ||
      losses.some(({ name, value }, i) => then.losses?.[i].name !== name || then.losses[i].value !== value)
    );
  });
}
