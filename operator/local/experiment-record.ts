import { join } from 'node:path';
import { z } from 'zod';
import { STAGES } from '../api/experiment.ts';
import type { StageName } from '../api/experiment.ts';
import type { PreviousStage } from '../plan/forecast.ts';
import type { Plan } from '../plan/plan.ts';
import { readJson, writeJson } from './files.ts';
import { readInputs, stageFolder } from './stage-folders.ts';

/**
 * `<root>/experiments/<name>.json`: the stage keys of an experiment's latest run. Folders are named by keys and shared between
 * experiments; this is how to find those of one experiment.
 */
const Record = z.object({
  version: z.literal('v1'),
  experiment: z.string(),
  stages: z.array(z.object({ name: z.enum(STAGES), key: z.string() })),
});
export type ExperimentRecord = z.output<typeof Record>;

const recordFile = (root: string, experiment: string) => join(root, 'experiments', `${experiment}.json`);

export function writeRecord(root: string, plan: Plan): void {
  const record: ExperimentRecord = {
    version: 'v1',
    experiment: plan.experiment,
    stages: plan.stages.map(({ name, key }) => ({ name, key })),
  };
  writeJson(recordFile(root, plan.experiment), record);
}

export function readRecord(root: string, experiment: string): ExperimentRecord | undefined {
  return Record.safeParse(readJson(recordFile(root, experiment))).data;
}

/** Each stage of the experiment's latest run with what its key was made of. */
export function readPrevious(root: string, experiment: string): Map<StageName, PreviousStage> {
  const stages = readRecord(root, experiment)?.stages ?? [];
  return new Map(stages.map((stage) => [stage.name, { key: stage.key, inputs: readInputs(stageFolder(root, stage)) ?? {} }]));
}
