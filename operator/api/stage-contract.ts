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

/**
 * Number of this process among the `shards` of its stage, from 0. The second name is the one that Kubernetes sets in the pods of an
 * Indexed Job.
 */
export const SHARD_ENVIRONMENTS = ['CDSP_SHARD', 'JOB_COMPLETION_INDEX'] as const;

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
  /** The artifacts of an earlier stage are gone or incomplete, e.g. on a new volume; that stage has to run again. */
  upstreamMissing: 66,
  /** Something that set-up provides is missing. */
  unavailable: 69,
  /** Interrupted or locked by another run; resume by starting again. */
  interrupted: 75,
} as const;

export const StageInput = z.object({
  version: z.literal('v1').describe('Version of this contract.'),
  experiment: z.string().describe('Name of the experiment.'),
  stage: z.enum(STAGES).describe('The stage to run.'),
  key: z.string().describe('Stage key: SHA-256 of everything that can change the output; the manifest repeats it.'),
  spec: ExperimentSpec.describe('The defaulted spec without its placement; paths in it are absolute.'),
  upstream: z
    .object({ classify: z.string().optional(), pseudoLabel: z.string().optional(), segment: z.string().optional() })
    .describe('Folders of the stages before, by name; read-only. Those that the stage does not read itself may have been tidied away.'),
  shards: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Processes that share the images of pseudo-label or evaluate, each with its number in CDSP_SHARD or JOB_COMPLETION_INDEX; left out: one.',
    ),
  output: z.string().describe('The stage’s own folder; manifest.json is written there last.'),
});
export type StageInput = z.output<typeof StageInput>;
/** As it is written into the environment. */
export type SentStageInput = Omit<StageInput, 'spec'> & { readonly spec: Omit<StageInput['spec'], 'placement'> };

/** Longest value that an environment variable of this name can have, in bytes: Linux takes 128 KiB for name, =, value and a closing 0. */
export const longestValue = (name: string): number => 128 * 1024 - Buffer.byteLength(`${name}=`) - 1;

export const StageMetrics = z.record(
  z.string(),
  z.union([z.number(), z.string(), z.boolean(), z.null(), z.array(z.union([z.number(), z.string(), z.null()]))]),
);
export type StageMetrics = z.output<typeof StageMetrics>;

/** What a stage reports; one JSON object per line of its standard output. */
export const StageEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('log').describe('Something that a person should know.'),
    level: z.enum(['info', 'warning']).describe('How much it matters.'),
    message: z.string().describe('One sentence.'),
  }),
  z.object({
    type: z.literal('progress').describe('How far the stage is; a few times a second at most.'),
    label: z.string().describe('What is going on, e.g. "epoch 3/10", for people.'),
    done: z.number().describe('Steps or images done, of the whole stage.'),
    total: z.number().describe('Steps or images in all.'),
    unit: z.enum(['step', 'image']).describe('What is counted.'),
    preparing: z
      .boolean()
      .optional()
      .describe('Whether `done` and `total` are those of something that comes before the stage’s own work, and no share of the stage.'),
    epoch: z.number().optional().describe('Epochs done, of training stages.'),
    imagesPerSecond: z.number().optional().describe('Images per second of this process, lately.'),
    loss: z.number().optional().describe('Loss of the latest step.'),
    terms: z.record(z.string(), z.number()).optional().describe('Its terms by name, before their weights.'),
    learningRate: z.number().optional().describe('Learning rate of the latest step.'),
    gradientNorm: z.number().optional().describe('Norm of the gradients before they were scaled down, where they are.'),
    meanIou: z.number().optional().describe('mIoU (segment, evaluate) in [0, 1], when known.'),
    iou: z
      .array(z.number().nullable())
      .optional()
      .describe('IoU by class, in the first event that has a new one; null for a class that does not occur.'),
    classes: z.array(z.string()).optional().describe('Names of the classes of `iou`.'),
  }),
  z.object({
    type: z.literal('result').describe('The last event of a stage that is complete.'),
    metrics: StageMetrics.describe('What came out; with `reused: true` where the stage was complete before.'),
  }),
  z.object({
    type: z.literal('error').describe('The last event of a stage that failed.'),
    exitCode: z.int().describe('The exit code that follows.'),
    file: z.string().optional().describe('The file to blame.'),
    field: z.string().optional().describe('The field of the experiment, or the variable, to blame.'),
    message: z.string().describe('One sentence that says what is wrong and what to do.'),
  }),
]);
export type StageEvent = z.output<typeof StageEvent>;

/** manifest.json: written last and by rename; a folder without one is unfinished. */
export const Manifest = z.object({
  version: z.literal('v1').describe('Version of this contract.'),
  stage: z.enum(STAGES).describe('The stage that wrote it.'),
  key: z.string().describe('Key of the stage.'),
  experiment: z.string().describe('The experiment that ran it first.'),
  trainer: z.string().describe('Version of the trainer that wrote it.'),
  seconds: z.number().describe('Working time in seconds, all attempts and processes together.'),
  metrics: z.record(z.string(), z.unknown()).describe('Those of the result.'),
  files: z
    .array(z.object({ path: z.string(), size: z.int(), sha256: z.string() }))
    .describe('Every artifact: path from the folder on, bytes, SHA-256 in hexadecimal; sorted by path.'),
});
export type Manifest = z.output<typeof Manifest>;
