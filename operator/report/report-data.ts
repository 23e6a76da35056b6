import type { StageName } from '../api/experiment.ts';

/**
 * Everything a report shows, collected and downsampled: a plain value that can be stored as JSON. Ratios are in [0, 1],
 * times in seconds; `null` stands for what is not known.
 */
export interface ReportData {
  readonly name: string;
  /** Short facts under the title, e.g. "resnet50 + deeplabv2". */
  readonly facts: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string | null;
  /** The experiment as the person wrote it. */
  readonly yaml: string | null;
  readonly classes: readonly ReportClass[];
  readonly stages: readonly StageSummary[];
  readonly failure: StageFailure | null;
  readonly classify: TrainingCurves | null;
  readonly segment: TrainingCurves | null;
  readonly validation: readonly ValidationPoint[];
  readonly pseudoLabel: PseudoLabelSummary | null;
  readonly evaluation: EvaluationSummary | null;
  /** Validation images of a finished evaluation that had no masks to hold predictions against; then `evaluation` is null. */
  readonly unscoredImages: number | null;
  readonly counts: readonly Count[];
  /** Examples of the training split (scribble, pseudo-label …) and of the validation split (prediction, truth). */
  readonly gallery: { readonly training: readonly Example[]; readonly validation: readonly Example[] };
  /** What could not be read, for people. */
  readonly notes: readonly string[];
}

export interface ReportClass {
  readonly name: string;
  /** #rrggbb as in the palette PNGs. */
  readonly color: string;
}

/**
 * Complete: has a manifest. Failed: this run's failure. Unfinished: has written something, but no manifest. NotRun: no folder.
 * NotNeeded: not in the plan,
 * or gone where no stage needs it.
 */
export type ReportStageState = 'Complete' | 'Failed' | 'Unfinished' | 'NotRun' | 'NotNeeded';

export interface StageSummary {
  readonly stage: StageName;
  readonly state: ReportStageState;
  readonly key: string | null;
  readonly seconds: number | null;
  readonly trainer: string | null;
}

export interface StageFailure {
  readonly stage: StageName;
  readonly message: string;
  readonly file?: string;
  readonly field?: string;
}

/** Averages over equal runs of steps, so that 50,000 steps are drawn as quickly as 100. */
export interface TrainingCurves {
  /** Step at the middle of each bucket; all curves share it. */
  readonly steps: readonly number[];
  /** Epoch of each bucket, from 1. */
  readonly epochs: readonly number[];
  readonly stepsPerBucket: number;
  readonly lastStep: number;
  readonly total: Curve;
  readonly terms: readonly { readonly name: string; readonly curve: Curve }[];
  readonly learningRate: readonly (number | null)[];
  /** Before gradients were scaled down; null where they never are. */
  readonly gradientNorm: Curve | null;
  readonly meanAveragePrecision: readonly { readonly epoch: number; readonly value: number }[];
}

export interface Curve {
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

export interface ValidationPoint {
  readonly epoch: number;
  readonly step: number;
  readonly meanIou: number;
}

export interface PseudoLabelSummary {
  readonly threshold: number | null;
  readonly candidates: readonly { readonly threshold: number; readonly agreement: number }[];
  /** mIoU against the truth of the training images, in the order of the refinement; empty where there is no truth. */
  readonly quality: readonly { readonly name: string; readonly meanIou: number }[];
  /** mIoU of the pixels that the refinement is sure of, and their share; null where all keep their label. */
  readonly sure: { readonly meanIou: number; readonly share: number } | null;
}

export interface EvaluationSummary {
  readonly images: number;
  /** confusion[truth][prediction], in pixels. */
  readonly confusion: readonly (readonly number[])[];
  /** null: the class occurs in neither truth nor prediction. */
  readonly iou: readonly (number | null)[];
  readonly meanIou: number | null;
  readonly pixelAccuracy: number | null;
}

export interface Count {
  readonly label: string;
  readonly value: number;
}

export interface Example {
  readonly id: string;
  /** Foreground classes in it. */
  readonly classes: readonly string[];
  readonly pictures: readonly Picture[];
  /** Rows of small pictures: a distance map for several λ. */
  readonly strips: readonly Strip[];
}

export interface Strip {
  readonly title: string;
  readonly pictures: readonly Picture[];
}

export interface Picture {
  readonly title: string;
  readonly alt: string;
  /** Data URI. */
  readonly src: string;
  readonly width: number;
  readonly height: number;
  /** Drawn pixel by pixel, not smoothed, when enlarged. */
  readonly crisp: boolean;
  /** The one that the experiment used. */
  readonly chosen: boolean;
}
