import type { StageName } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import type { StageViews } from './observe.ts';

export interface UnscheduledPodsOptions {
  /** In milliseconds, never going back; of this process alone, since pods' times come from other clocks. */
  readonly elapsed: () => number;
  /** Asks for the experiment to be looked at again. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
}

/** A new pod usually waits for a second until its claim is bound. */
const PATIENCE_MS = 3000;

interface Entry {
  readonly pod: string;
  /** When it was first seen to have no node. */
  readonly since: number;
}

/** Keeps to itself what the scheduler says of a pod that has had no node for moments only: each telling costs a status, an event and their undoing. */
export class UnscheduledPods {
  readonly #options: UnscheduledPodsOptions;
  readonly #entries = new Map<string, Map<StageName, Entry>>();

  constructor(options: UnscheduledPodsOptions) {
    this.#options = options;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** The views without troubles that have not lasted; what the status tells already stays told. */
  withhold(key: string, views: StageViews, told: ExperimentStatus | undefined): StageViews {
    const before = this.#entries.get(key);
    const entries = new Map<StageName, Entry>();
    const patient = new Map(views);
    for (const [name, view] of views) {
      const { pod, trouble } = view;
      if (pod === undefined || trouble?.condition !== 'Scheduled' || isTold(name, trouble.reason, told)) continue;
      const known = before?.get(name);
      const entry = known?.pod === pod ? known : { pod, since: this.#options.elapsed() };
      entries.set(name, entry);
      const left = entry.since + PATIENCE_MS - this.#options.elapsed();
      if (left <= 0) continue;
      patient.set(name, { ...view, trouble: undefined });
      this.#options.requeueAfter(key, left);
    }
    if (entries.size > 0) this.#entries.set(key, entries);
    else this.#entries.delete(key);
    return patient;
  }
}

const isTold = (stage: StageName, reason: string, told: ExperimentStatus | undefined): boolean =>
  told?.stages?.some((entry) => entry.name === stage && entry.reason === reason) ?? false;
