import { setTimeout as delay } from 'node:timers/promises';
import type { StageName } from '../api/experiment.ts';
import { isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { listEvents, newestWarning, timeOfEvent } from './events.ts';
import type { StageViews } from './observe.ts';
import type { Silence, Trouble } from './observe-pod.ts';
import { seeClaims } from './unbound-claims.ts';

export interface SilentStagesOptions {
  readonly cluster: Pick<Cluster, 'get' | 'list'>;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  /** In milliseconds, never going back. */
  readonly elapsed: () => number;
  /** Waits for so many milliseconds; a timer where nothing is given. */
  readonly rest?: (ms: number) => Promise<void>;
  /** Asks for the experiment to be looked at again. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
  /** Told where events cannot be read: there is one explanation less, and nothing else is wrong. */
  readonly onError: (key: string, error: unknown) => void;
}

/** A pod usually begins within seconds; pulling its image takes longer, and events about it tell nothing new every second. */
const FIRST_MS = 10_000;
const LONGEST_MS = 300_000;
/** How long nothing is asked after a question, in multiples of what it took. */
const REST_SHARE = 19;

/** The kubelet turns to a pod's images when its volumes are mounted and its sandbox stands: what it warned of before is over. */
const PAST_MOUNTING = new Set(['Pulling', 'Pulled']);

interface Entry {
  readonly uid: string;
  /** What the scheduler said of it; other words are another matter. */
  readonly words: string | undefined;
  /** When it was noticed, or its events were last asked for. */
  at: number;
  delayMs: number;
  isAsking: boolean;
  /** How often its events were asked for. */
  asked: number;
  /** There is nothing more to ask. */
  isSettled: boolean;
  trouble?: Trouble;
}

/**
 * Where events of the stage itself have told nothing, claims are asked about too, and what is known without events is told, at the second question,
 * so after half a minute: where much begins at once, a scheduler or a storage system that is there may take ten seconds for a pod.
 */
const ASKED_BEFORE_OTHERWISE = 2;

/**
 * Why a stage does not begin although its Job and its pod are in order: a quota that forbids the pod, a volume that cannot be mounted, a scheduler
 * that is not there. Events tell that, and where the scheduler finds no place for a pod, why one of its claims has no volume. For a stage that has
 * waited for ten seconds they are asked for, then ever more seldom. Nobody waits for the answer: when it is there, the experiment is looked at
 * again. One question at a time: the API server goes through all events of a namespace for it, and when many wait, it is because the API server is
 * busy. So a question that took long is followed by a long pause, and whoever has begun when its turn comes is not asked for.
 */
export class SilentStages {
  readonly #options: SilentStagesOptions;
  readonly #entries = new Map<string, Map<StageName, Entry>>();
  #line: Promise<void> = Promise.resolve();

  constructor(options: SilentStagesOptions) {
    this.#options = options;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** The views with what is known of those that wait. */
  explain(key: string, namespace: string, views: StageViews): StageViews {
    const silent = [...views].flatMap(([name, { silence }]) => (silence === undefined ? [] : [[name, silence] as const]));
    const before = this.#entries.get(key);
    if (silent.length === 0) {
      if (before !== undefined) this.#entries.delete(key);
      return views;
    }
    const entries = new Map<StageName, Entry>();
    for (const [name, silence] of silent) {
      const known = before?.get(name);
      const isSame = known?.uid === silence.uid && known.words === silence.said?.message;
      const entry = isSame ? known : makeEntry(silence, this.#options.now());
      entries.set(name, entry);
      this.#askInTime(key, name, namespace, silence, entry);
    }
    this.#entries.set(key, entries);
    return new Map([...views].map(([name, view]) => [name, withTrouble(view, entries.get(name)?.trouble)] as const));
  }

  #askInTime(key: string, stage: StageName, namespace: string, silence: Silence, entry: Entry): void {
    if (entry.isAsking || entry.isSettled) return;
    const passed = this.#options.now() - entry.at;
    // A clock that was set back says nothing.
    if (passed < entry.delayMs && passed >= 0) return this.#options.requeueAfter(key, entry.delayMs - passed);
    entry.isAsking = true;
    const isCurrent = () => this.#entries.get(key)?.get(stage) === entry;
    this.#line = this.#line.then(() => (isCurrent() ? this.#askAndRest(key, namespace, silence, entry) : undefined));
  }

  async #askAndRest(key: string, namespace: string, silence: Silence, entry: Entry): Promise<void> {
    const { elapsed, rest = (ms: number) => delay(ms, undefined, { ref: false }) } = this.#options;
    const began = elapsed();
    await this.#ask(key, namespace, silence, entry);
    const restMs = REST_SHARE * (elapsed() - began);
    if (restMs > 0) await rest(restMs);
  }

  /** Never rejects. */
  async #ask(key: string, namespace: string, silence: Silence, entry: Entry): Promise<void> {
    const { now, onError, requeueAfter } = this.#options;
    entry.asked += 1;
    const hasLasted = entry.asked >= ASKED_BEFORE_OTHERWISE;
    const otherwise = hasLasted ? silence.otherwise : undefined;
    try {
      if (silence.said !== undefined) await this.#askOfClaims(namespace, silence, silence.said, entry);
      else entry.trouble = (await this.#newestWarning(namespace, hasLasted ? silence : { ...silence, claims: [] })) ?? otherwise;
    } catch (error) {
      entry.trouble ??= otherwise;
      if (!isStatus(error, 403)) onError(key, error);
    }
    entry.isAsking = false;
    entry.at = now();
    entry.delayMs = Math.min(LONGEST_MS, 2 * entry.delayMs);
    requeueAfter(key, 0);
  }

  /** Whatever the scheduler says: its words are made for people. */
  async #askOfClaims(namespace: string, { claims = [] }: Silence, said: Trouble, entry: Entry): Promise<void> {
    const { areBound, words } = await seeClaims(this.#options.cluster, namespace, claims);
    entry.isSettled = areBound;
    entry.trouble = words.length === 0 ? undefined : { ...said, message: [said.message.replace(/\.$/, ''), ...words].join('; ') };
  }

  async #newestWarning(namespace: string, { uid, since, claims = [], otherwise }: Silence): Promise<Trouble | undefined> {
    const events = await listEvents(this.#options.cluster, namespace, `involvedObject.uid=${uid}`);
    for (const claim of claims) {
      const about = `involvedObject.kind=PersistentVolumeClaim,involvedObject.name=${claim}`;
      events.push(...(await listEvents(this.#options.cluster, namespace, `${about},type=Warning`)));
    }
    const event = newestWarning(events, PAST_MOUNTING);
    if (event === undefined || timeOfEvent(event) < new Date(since ?? 0).getTime()) return undefined;
    const { reason = 'Waiting', message = reason } = event;
    return { condition: otherwise?.condition ?? 'Started', reason, message };
  }
}

const makeEntry = ({ uid, said }: Silence, at: number): Entry => ({
  uid,
  words: said?.message,
  at,
  delayMs: FIRST_MS,
  isAsking: false,
  asked: 0,
  isSettled: false,
});

const withTrouble = <View extends object>(view: View, trouble: Trouble | undefined): View =>
  trouble === undefined ? view : { ...view, trouble };
