import { z } from 'zod';
import { STAGES } from './experiment.ts';

/**
 * Written as a whole, by the operator alone. Told so, the API server keeps no account of who has written which field of it; that account was
 * half of an experiment's bytes, and a sixth of what writing a status costs the API server.
 */
const WHOLE = { 'x-kubernetes-map-type': 'atomic' } as const;
const listMap = (key: string) => ({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });

/** A moment (RFC 3339). */
const time = () => z.string().max(64);
/** Name of a Kubernetes object. */
const name = () => z.string().max(253);

const Condition = z
  .object({
    type: z.string().max(316).describe('Kind of the condition; Succeeded sums the experiment up.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Unknown while the experiment is active.'),
    reason: z.string().min(1).max(1024).describe('One word, for programs.'),
    message: z.string().max(32768).describe('A sentence, for people.'),
    lastTransitionTime: time().describe('When the status last changed (RFC 3339).'),
    observedGeneration: z.int().min(0).optional().describe('Generation of the spec that it speaks of.'),
  })
  .meta(WHOLE);

const StageStatus = z
  .object({
    name: z.enum(STAGES).describe('The stage.'),
    state: z.enum(['Pending', 'Running', 'Cached', 'Complete', 'Interrupted', 'Failed']).describe('Where it stands.'),
    key: z.string().max(64).optional().describe('Stage key: SHA-256 of everything that can change its output.'),
    reason: z.string().max(256).optional().describe('Why it stands there, in one word.'),
    message: z.string().max(4096).optional().describe('The same for people: what it waits for, or what went wrong with file and field.'),
    failure: z
      .object({
        exitCode: z.int().describe('Exit code of the stage; 65: bad input, never tried again.'),
        message: z.string().max(4096).describe('The stage’s own words.'),
        file: z.string().max(4096).optional().describe('The file to blame.'),
        field: z.string().max(4096).optional().describe('The field to blame.'),
        failures: z.int().min(0).describe('Attempts that failed; none where it was late before one had begun.'),
      })
      .optional()
      .describe('Why it failed for good.'),
    progress: z.int().min(0).max(100).optional().describe('Done so far, in per cent.'),
    loss: z.number().optional().describe('Latest loss.'),
    losses: z
      .array(z.object({ name: z.string().max(63).describe('Term.'), value: z.number().describe('Its latest value, before its weight.') }))
      .max(16)
      .meta(listMap('name'))
      .optional()
      .describe('Latest loss by term.'),
    meanIou: z.number().min(0).max(1).optional().describe('Latest mIoU.'),
    remadeFor: z
      .string()
      .max(64)
      .optional()
      .describe('Its artifacts were lost from the volume, and it ran again: uid of the Job that missed them.'),
    attempts: z
      .int()
      .min(0)
      .optional()
      .describe(
        'Attempts that failed, and the one under way or that was the last. Shards are one attempt together; one that was interrupted goes on.',
      ),
    job: name().optional().describe('Its Job.'),
    pod: name().optional().describe('The newest of its pods, of those that run where some do.'),
    node: name().optional().describe('Where that pod runs.'),
    startTime: time().optional().describe('When it started (RFC 3339).'),
    completionTime: time().optional().describe('When it ended (RFC 3339).'),
  })
  .meta(WHOLE);

const Results = z
  .object({
    meanIou: z.number().min(0).max(1).optional().describe('mIoU on the validation split; left out in data without masks.'),
    pixelAccuracy: z.number().min(0).max(1).optional().describe('Share of the pixels that are right.'),
    pseudoLabelMeanIou: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('mIoU of the pseudo-labels on the training split, where it has masks.'),
    classes: z
      .array(
        z.object({
          name: z.string().max(63).describe('The class.'),
          iou: z.number().min(0).max(1).optional().describe('Its IoU; left out where it occurs neither in masks nor in predictions.'),
        }),
      )
      .max(255)
      .meta(listMap('name'))
      .optional()
      .describe('IoU by class, in the order of the classes.'),
  })
  .meta(WHOLE);

const Provenance = z
  .object({
    trainerImage: z
      .string()
      .max(1024)
      .optional()
      .describe(
        'The trainer image as the stages name it; one that the operator has named is kept until the experiment has ended, also when the operator gets another one.',
      ),
    trainerImageFrom: z
      .enum(['Operator', 'Experiment'])
      .optional()
      .describe('Who has named that image: the operator’s configuration, or spec.image, which counts only as long as it is there.'),
    image: z.string().max(2048).optional().describe('The trainer image that ran, by digest.'),
    datasetDigest: z.string().max(128).optional().describe('SHA-256 of the data that were read.'),
    seed: z.int().min(0).optional().describe('Seed of weights, shuffling and augmentation.'),
  })
  .meta(WHOLE);

const StorageStatus = z
  .object({
    claimName: name().describe('The claim that the artifacts lie on.'),
    size: z.string().max(64).optional().describe('Size that was asked for; of the operator’s own claim only.'),
    retention: z
      .enum(['Delete', 'Retain'])
      .optional()
      .describe('What becomes of it with the experiment; of the operator’s own claim only.'),
  })
  .meta(WHOLE);

/** What a cluster reports of an experiment. Large or fast-changing data stay out of it. */
export const ExperimentStatus = z.object({
  observedGeneration: z.int().min(-1).optional().describe('Generation of the spec that the status speaks of; -1: none yet.'),
  phase: z.enum(['Running', 'Suspended', 'Succeeded', 'Failed']).optional().describe('The conditions in one word; for people only.'),
  stage: z.enum(STAGES).optional().describe('The stage that runs, or ran last.'),
  progress: z.int().min(0).max(100).optional().describe('Progress of that stage, in per cent.'),
  loss: z.number().optional().describe('Latest loss of that stage; where it tells none, of the last stage that did.'),
  meanIou: z.number().min(0).max(1).optional().describe('Latest mIoU.'),
  completionTime: time().optional().describe('When it ended, well or not (RFC 3339).'),
  conditions: z.array(Condition).max(16).meta(listMap('type')).optional().describe('Conditions; Succeeded leads.'),
  results: Results.optional().describe('What came out; there as soon as it is known.'),
  provenance: Provenance.optional().describe('What it came from, enough to repeat it (cdsp reproduce).'),
  storage: StorageStatus.optional().describe('Where the artifacts lie.'),
  stages: z.array(StageStatus).max(16).meta(listMap('name')).optional().describe('Every stage.'),
});
export type ExperimentStatus = z.output<typeof ExperimentStatus>;
