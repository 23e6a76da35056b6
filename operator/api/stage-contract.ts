import { z } from 'zod';
import { ExperimentSpec, STAGES } from './experiment.ts';

/**
 * The contract between whoever starts a stage (local runner, Kubernetes Job) and the trainer: environment in, events and
 * exit code out. Any program that honours it can be a stage.
 */

/** Name of the environment variable that holds a StageInput as JSON. */
export const STAGE_ENVIRONMENT = 'CDSP_STAGE';

/**
 * Set to 1 by whoever keeps the stage's standard input open for as long as it lives, as the local runner does: when the input
 * ends, its parent is gone, and the stage must keep a checkpoint and exit with EXIT.interrupted as it does after SIGTERM. Not
 * set in a cluster, where the input is empty from the start.
 */
export const WATCH_STDIN_ENVIRONMENT = 'CDSP_WATCH_STDIN';

/** Port on which a stage serves /progress (JSON: its latest progress event) and /metrics (Prometheus) while it runs; not set: none. */
export const PORT_ENVIRONMENT = 'CDSP_PORT';

/** File for the last word of a stage as JSON, {"result": metrics} or {"error": {message, file, field}}, 4096 bytes at most; not set: none. */
export const TERMINATION_LOG_ENVIRONMENT = 'CDSP_TERMINATION_LOG';

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

export const StageMetrics = z.record(
  z.string(),
  z.union([z.number(), z.string(), z.null(), z.array(z.union([z.number(), z.string(), z.null()]))]),
);
export type StageMetrics = z.output<typeof StageMetrics>;

/** What a stage reports; one JSON object per line of its standard output. */
export const StageEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('log'), level: z.enum(['info', 'warning']), message: z.string() }),
  z.object({
    type: z.literal('progress'),
    label: z.string().describe('What is going on, e.g. "epoch 3/10", for people.'),
    done: z.number(),
    total: z.number(),
    unit: z.enum(['step', 'image']),
    loss: z.number().optional(),
    terms: z.record(z.string(), z.number()).optional(),
    learningRate: z.number().optional(),
    gradientNorm: z.number().optional().describe('Norm of the gradients before they were scaled down, where they are.'),
    meanIou: z.number().optional().describe('mIoU (segment, evaluate) in [0, 1], when known.'),
  }),
  z.object({ type: z.literal('result'), metrics: StageMetrics }),
  z.object({
    type: z.literal('error'),
    exitCode: z.int(),
    file: z.string().optional(),
    field: z.string().optional(),
    message: z.string(),
  }),
]);
export type StageEvent = z.output<typeof StageEvent>;

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
