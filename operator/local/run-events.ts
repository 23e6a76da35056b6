import type { StageName } from '../api/experiment.ts';
import type { StageEvent, StageMetrics } from '../api/stage-contract.ts';

/** How a stage's part in a run ended. */
export type StageOutcome = 'Complete' | 'Cached' | 'Failed' | 'Interrupted';

/** What a run tells whoever shows it. Times are in seconds. */
export type RunEvent =
  | {
      readonly type: 'plan';
      readonly experiment: string;
      readonly storage: string;
      readonly stages: readonly { readonly stage: StageName; readonly key: string; readonly cached: boolean }[];
    }
  | { readonly type: 'start'; readonly stage: StageName; readonly attempt: number }
  | { readonly type: 'stage'; readonly stage: StageName; readonly event: StageEvent }
  | {
      readonly type: 'end';
      readonly stage: StageName;
      readonly outcome: StageOutcome;
      readonly seconds: number;
      readonly metrics: StageMetrics;
    }
  | { readonly type: 'note'; readonly level: 'info' | 'warning'; readonly message: string };
