import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openExperimentDataset } from '../../trainer-image/stages/stage-data.ts';
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
  const experiment: Experiment = { apiVersion: 'cdsp.dev/v1alpha1', kind: 'CDSPExperiment', metadata: { name }, spec };
  const data = await collectReport({ ...source, experiment, dataset, createdAt: new Date().toISOString() });
  await mkdir(dirname(file), { recursive: true });
  await writeTextFile(file, renderReport(data));
  return data.notes;
}
