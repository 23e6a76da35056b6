import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from '../../trainer-image/json-file.ts';
import { ExperimentSpec, STAGES } from '../api/experiment.ts';
import type { StageName } from '../api/experiment.ts';
import type { PreviousStage } from '../plan/forecast.ts';
import type { Plan } from '../plan/plan.ts';
import { readInputs, stageFolder } from './stage-folders.ts';

/**
 * `<root>/experiments/<name>.json`: the stage keys of an experiment's latest run. Folders are named by keys and shared between
 * experiments; this is how to find those of one experiment.
 */
const Record = z.object({
  version: z.literal('v1'),
  experiment: z.string(),
  /** With absolute paths, so that a report needs nothing but this folder and the data. */
  spec: ExperimentSpec.optional().catch(undefined),
  stages: z.array(z.object({ name: z.enum(STAGES), key: z.string() })),
});
export type ExperimentRecord = z.output<typeof Record>;

const FOLDER = 'experiments';
const recordFile = (root: string, experiment: string) => join(root, FOLDER, `${experiment}.json`);

export function writeRecord(root: string, plan: Plan, spec?: ExperimentSpec): void {
  const record: ExperimentRecord = {
    version: 'v1',
    experiment: plan.experiment,
    spec,
    stages: plan.stages.map(({ name, key }) => ({ name, key })),
  };
  writeJson(recordFile(root, plan.experiment), record);
}

export function readRecord(root: string, experiment: string): ExperimentRecord | undefined {
  return Record.safeParse(readJson(recordFile(root, experiment))).data;
}

/** Names of the experiments that have run in this folder. */
export function listRecords(root: string): string[] {
  const files = existsSync(join(root, FOLDER)) ? readdirSync(join(root, FOLDER)) : [];
  return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
}

/** Each stage of the experiment's latest run with what its key was made of, where it was begun. */
export function readPrevious(root: string, experiment: string): Map<StageName, PreviousStage> {
  const stages = readRecord(root, experiment)?.stages ?? [];
  return new Map(stages.map((stage) => [stage.name, { key: stage.key, inputs: readInputs(stageFolder(root, stage)) }]));
}
