import type { StageName } from '../api/experiment.ts';
import { ApiError, isInvalid, isStatus } from './cluster.ts';
import type { Trouble } from './observe-pod.ts';

export interface RefusedDeedsOptions {
  /** In milliseconds, never going back. */
  readonly elapsed: () => number;
  /** Asks for the experiment to be looked at again. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
  /** Told of each refusal. */
  readonly onError: (key: string, error: unknown) => void;
}

/** What suffers where something is not done: a stage does not run, or the volume is not as the experiment wants it, and stages run all the same. */
export type Concern = StageName | 'storage';

/** Something to be done in the cluster for an experiment. */
export interface Deed {
  /** The same for the same thing to be done. */
  readonly id: string;
  readonly concern?: Concern;
  readonly run: () => Promise<void>;
}

export interface Outcome {
  readonly hasActed: boolean;
  /** What was refused, now or before, and what a webhook kept the server from doing, by what suffers. */
  readonly refusals: ReadonlyMap<Concern, Trouble>;
  /** Trouble of the cluster, which the queue tries again soon. */
  readonly error: Error | undefined;
}

/** The server's answers that trying again at once does not change: the object is not valid, or a quota, a policy or a webhook forbids it. */
const REFUSALS = [400, 403, 422];
/** The server's words where it cannot ask a webhook: somebody has to mend that, and until then nothing goes on. */
const WEBHOOK_FAILURE = /\bfailed (?:calling|to call) webhook\b/;
const FIRST_MS = 10_000;
/** Something else is in the way of a name: it goes without the experiment being edited, and without a word to the operator. */
const IN_THE_WAY = ['JobExists', 'ClaimExists', 'ClaimEnding'];
/** What others heal, such as a quota that is freed, somebody waits for; what is not valid takes an edit, which is tried at once. */
const LONGEST_MS = { forbidden: 60_000, invalid: 300_000 };

interface Refusal {
  readonly error: ApiError;
  /** In a row. */
  readonly times: number;
  readonly until: number;
}

/**
 * Does what is to be done, and remembers what the server refused: that is asked for again ever more seldom, whatever else brings the
 * experiment up meanwhile, and at once when it was edited.
 */
export class RefusedDeeds {
  readonly #options: RefusedDeedsOptions;
  readonly #entries = new Map<string, { readonly version: string; readonly refusals: ReadonlyMap<string, Refusal> }>();

  constructor(options: RefusedDeedsOptions) {
    this.#options = options;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** @param version of the experiment's spec: what was refused of another one says nothing */
  async carryOut(key: string, version: string, deeds: readonly Deed[]): Promise<Outcome> {
    const entry = this.#entries.get(key);
    const before = entry?.version === version ? entry.refusals : new Map<string, Refusal>();
    const isHeld = ({ id }: Deed) => (before.get(id)?.until ?? 0) > this.#options.elapsed();
    const refusals = new Map(deeds.filter(isHeld).flatMap(({ id }) => [[id, before.get(id)]] as [string, Refusal][]));
    const due = deeds.filter(({ id }) => !refusals.has(id));
    // All at once: a failure that nobody waits for yet would end the process. What is refused is no reason to leave the rest undone.
    const ends = await Promise.allSettled(due.map(({ run }) => run()));
    let error: Error | undefined;
    const failures = new Map<string, ApiError>();
    for (const [index, end] of ends.entries()) {
      if (end.status === 'fulfilled') continue;
      const { id } = due[index];
      if (isStatus(end.reason, ...REFUSALS)) refusals.set(id, this.#refused(key, end.reason, before.get(id)));
      else {
        error ??= asError(end.reason);
        if (end.reason instanceof ApiError && isWebhookFailure(end.reason)) failures.set(id, end.reason);
      }
    }
    for (const { until } of refusals.values()) this.#options.requeueAfter(key, Math.max(0, until - this.#options.elapsed()));
    if (refusals.size > 0) this.#entries.set(key, { version, refusals });
    else this.#entries.delete(key);
    const troubles = troublesOf(deeds, (id) => refusals.get(id)?.error ?? failures.get(id));
    return { hasActed: ends.some(({ status }) => status === 'fulfilled'), refusals: troubles, error };
  }

  #refused(key: string, error: ApiError, before: Refusal | undefined): Refusal {
    this.#options.onError(key, error);
    const longest = isInvalid(error) ? LONGEST_MS.invalid : LONGEST_MS.forbidden;
    const times = (before?.times ?? 0) + 1;
    return { error, times, until: this.#options.elapsed() + Math.min(longest, FIRST_MS * 2 ** Math.min(20, times - 1)) };
  }
}

/** The same words each time: a connection's ports are others at each try. */
const withoutPorts = (message: string): string => message.replaceAll(/\b(?:read|write) (?:tcp|udp) \S+->\S+: /g, '');

const isWebhookFailure = ({ status, message }: ApiError): boolean => status >= 500 && WEBHOOK_FAILURE.test(message);

function troublesOf(deeds: readonly Deed[], errorOf: (id: string) => ApiError | undefined): Map<Concern, Trouble> {
  return new Map(
    deeds.flatMap(({ id, concern }) => {
      const error = errorOf(id);
      return concern === undefined || error === undefined ? [] : [[concern, troubleOf(error, concern)] as const];
    }),
  );
}

function troubleOf(error: ApiError, concern: Concern): Trouble {
  const condition = concern === 'storage' ? 'StorageReady' : 'Started';
  const what = concern === 'storage' ? 'the change of the claim' : 'it';
  if (isWebhookFailure(error))
    return { condition, reason: 'WebhookFailed', message: `the API server fails at ${what}: ${withoutPorts(error.message)}` };
  const reason = error.status === 403 ? 'Forbidden' : error.reason === '' ? 'Refused' : error.reason;
  const message = IN_THE_WAY.includes(error.reason) ? error.message : `the API server refuses ${what}: ${error.message}`;
  return { condition, reason, message, needsChange: isInvalid(error) };
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
