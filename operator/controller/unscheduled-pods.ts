import type { StageName } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import type { StageViews } from './observe.ts';

export interface UnscheduledPodsOptions {
  /** In milliseconds, never going back; of this process alone, since pods' times come from other clocks. */
  readonly elapsed: () => number;
  /** Asks for the experiment to be looked at again. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
}

/** A pod of which the scheduler finds no place at first often has one in a second. */
const PATIENCE_MS = 3000;
/** A volume that is made only now takes longer. */
const PATIENCE_WITH_VOLUMES_MS = 10_000;
/** The scheduler's words for that; were they others, it would be told sooner, and nothing else. */
const WAITS_FOR_VOLUME = /\bunbound immediate PersistentVolumeClaims\b/;

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
      const patience = WAITS_FOR_VOLUME.test(trouble.message) ? PATIENCE_WITH_VOLUMES_MS : PATIENCE_MS;
      const left = entry.since + patience - this.#options.elapsed();
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
