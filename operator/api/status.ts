import { z } from 'zod';
import { STAGES } from './experiment.ts';

const listMap = (key: string) => ({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });

const Condition = z.object({
  type: z.string().max(316).describe('Kind of the condition; Succeeded sums the experiment up.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Unknown while the experiment is active.'),
  reason: z.string().min(1).max(1024).describe('One word, for programs.'),
  message: z.string().max(32768).describe('A sentence, for people.'),
  lastTransitionTime: z.string().describe('When the status last changed (RFC 3339).'),
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that it speaks of.'),
});

const StageStatus = z.object({
  name: z.enum(STAGES).describe('The stage.'),
  state: z.enum(['Pending', 'Running', 'Cached', 'Complete', 'Interrupted', 'Failed']).describe('Where it stands.'),
  key: z.string().max(64).optional().describe('Stage key: SHA-256 of everything that can change its output.'),
  reason: z.string().max(256).optional().describe('Why it stands there, in one word.'),
  message: z.string().max(4096).optional().describe('The same for people: what it waits for, or what went wrong with file and field.'),
  failure: z
    .object({
      exitCode: z.int().describe('Exit code of the stage; 65: bad input, never tried again.'),
      message: z.string().max(4096).describe('The stage’s own words.'),
      file: z.string().optional().describe('The file to blame.'),
      field: z.string().optional().describe('The field to blame.'),
      failures: z.int().min(1).describe('Attempts that failed.'),
    })
    .optional()
    .describe('Why it failed for good.'),
  progress: z.int().min(0).max(100).optional().describe('Done so far, in per cent.'),
  loss: z.number().optional().describe('Latest loss.'),
  meanIou: z.number().min(0).max(1).optional().describe('Latest mIoU.'),
  attempts: z.int().min(0).optional().describe('Pods that were started for it.'),
  job: z.string().optional().describe('Its Job.'),
  pod: z.string().optional().describe('The newest of its pods.'),
  node: z.string().optional().describe('Where that pod runs.'),
  startTime: z.string().optional().describe('When it started (RFC 3339).'),
  completionTime: z.string().optional().describe('When it ended (RFC 3339).'),
});

/** What a cluster reports of an experiment. Large or fast-changing data stay out of it. */
export const ExperimentStatus = z.object({
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that the status speaks of.'),
  phase: z
    .enum(['Pending', 'Running', 'Suspended', 'Succeeded', 'Failed'])
    .optional()
    .describe('The conditions in one word; for people only.'),
  stage: z.enum(STAGES).optional().describe('The stage that runs, or ran last.'),
  progress: z.int().min(0).max(100).optional().describe('Progress of that stage, in per cent.'),
  loss: z.number().optional().describe('Latest loss of that stage.'),
  meanIou: z.number().min(0).max(1).optional().describe('Latest mIoU.'),
  conditions: z.array(Condition).max(16).meta(listMap('type')).optional().describe('Conditions; Succeeded leads.'),
  stages: z.array(StageStatus).max(16).meta(listMap('name')).optional().describe('Every stage.'),
});
export type ExperimentStatus = z.output<typeof ExperimentStatus>;
