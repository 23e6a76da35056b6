import { join } from 'node:path';
import { openExperimentDataset } from '../../trainer-image/stages/stage-data.ts';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { Experiment } from '../api/experiment.ts';
import { collectReport, type ReportSource } from '../report/collect.ts';
import { renderReport } from '../report/render.ts';
import { writeTextFile } from './write-text-file.ts';

/** What the report of an experiment is made from; paths are absolute. */
export interface ReportInput extends Pick<ReportSource, 'stages' | 'failure' | 'yaml'> {
  readonly name: string;
  readonly spec: Experiment['spec'];
  readonly storage: string;
}

/** Where the report of an experiment goes if nothing else is said. */
export function reportFile(storage: string, name: string): string {
  return join(storage, 'reports', `${name}.html`);
}

/**
 * Writes the report of what is there.
 * @returns what could not be read, for people
 * @throws BadInputError if the data set cannot be opened or the file cannot be written
 */
export async function writeReport({ name, spec, storage, ...source }: ReportInput, file: string): Promise<readonly string[]> {
  const dataset = await openExperimentDataset(spec.dataset, storage);
  const experiment: Experiment = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec };
  const data = await collectReport({ ...source, experiment, dataset, createdAt: new Date().toISOString() });
  await writeTextFile(file, renderReport(data));
  return data.notes;
}
