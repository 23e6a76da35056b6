import { z } from 'zod';
import { ExperimentSpec, STAGES } from './experiment.ts';

/**
 * The contract between whoever starts a stage (local runner, Kubernetes Job) and the trainer: environment in, events and
 * exit code out. Any program that honours it can be a stage.
 */

/** Name of the environment variable that holds a StageInput as JSON. */
export const STAGE_ENVIRONMENT = 'CDSP_STAGE';

/** sysexits(3) where it has a fitting code. */
export const EXIT = {
  /** The stage is complete. */
  success: 0,
  /** Anything unforeseen; tried again. */
  failure: 1,
  /** Bad command line. */
  usage: 64,
  /** Bad input (experiment, images, weights …): never tried again; the message names file and field. */
  badInput: 65,
  /** Something that set-up provides is missing. */
  unavailable: 69,
  /** Interrupted or locked by another run; resume by starting again. */
  interrupted: 75,
} as const;

export const StageInput = z.object({
  version: z.literal('v1'),
  experiment: z.string(),
  stage: z.enum(STAGES),
  key: z.string().describe('Stage key; the manifest repeats it.'),
  spec: ExperimentSpec.describe('The whole defaulted spec; paths in it are absolute.'),
  /** Folders of complete upstream stages. */
  upstream: z.object({ classify: z.string().optional(), pseudoLabel: z.string().optional(), segment: z.string().optional() }),
  output: z.string().describe('The stage’s own folder; manifest.json is written there last.'),
});
export type StageInput = z.output<typeof StageInput>;

/** What a stage reports; one JSON object per line of its standard output. */
export type StageEvent =
  | { type: 'log'; level: 'info' | 'warning'; message: string }
  | {
      type: 'progress';
      /** What is going on, e.g. "epoch 3/10", for people. */
      label: string;
      done: number;
      total: number;
      unit: 'step' | 'image';
      loss?: number;
      terms?: Record<string, number>;
      learningRate?: number;
      /** mIoU (segment, evaluate) in [0, 1], when known. */
      meanIou?: number;
    }
  | { type: 'result'; metrics: StageMetrics }
  | { type: 'error'; exitCode: number; file?: string; field?: string; message: string };

export type StageMetrics = Record<string, number | string | null | (number | string | null)[]>;

/** manifest.json: written last and by rename; a folder without one is unfinished. */
export const Manifest = z.object({
  version: z.literal('v1'),
  stage: z.enum(STAGES),
  key: z.string(),
  experiment: z.string(),
  trainer: z.string().describe('Version of the trainer that wrote it.'),
  seconds: z.number().describe('Working time, all attempts together.'),
  metrics: z.record(z.string(), z.unknown()),
  files: z.array(z.object({ path: z.string(), size: z.int(), sha256: z.string() })),
});
export type Manifest = z.output<typeof Manifest>;
