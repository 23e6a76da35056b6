/** Attempts at a stage within one run of the experiment. */
export interface Attempts {
  /** Attempts that failed; these count against `retries`. */
  readonly failures: number;
  /** Interruptions since the stage last got further: without a limit, a stage that is killed for its memory would go on forever. */
  readonly interruptions: number;
}

/** Where a stage stands. */
export type StageState =
  /** Nothing is there. */
  | { readonly kind: 'Pending' }
  /** Was complete before this run. */
  | { readonly kind: 'Cached' }
  | ({ readonly kind: 'Running' } & Attempts)
  | { readonly kind: 'Complete' }
  /** Unfinished but resumable: stopped, killed, or left by an earlier run. */
  | ({ readonly kind: 'Interrupted' } & Attempts)
  | ({ readonly kind: 'Failed' } & Attempts & StageFailure);

export interface StageFailure {
  readonly exitCode: number;
  readonly message: string;
  readonly file?: string;
  readonly field?: string;
  /** It took longer than its deadline allows: there is no further attempt, however few there were. */
  readonly isLate?: boolean;
  /** When it failed, in milliseconds since the epoch. */
  readonly at: number;
}

export const isComplete = (state: StageState): boolean => state.kind === 'Complete' || state.kind === 'Cached';
