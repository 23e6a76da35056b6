import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { listRecords, readRecord } from '../../local/experiment-record.ts';
import { resolvePaths } from '../../local/paths.ts';
import { forecastExperiment } from '../../local/run-experiment.ts';
import { stageFolder } from '../../local/stage-folders.ts';
import { reportFile, writeReport, type ReportInput } from '../experiment-report.ts';
import { trainerOptions } from '../trainer.ts';
import { loadExperiment } from '../load-experiment.ts';
import { UsageError } from '../usage-error.ts';

export interface ReportCommandOptions {
  readonly storage?: string;
  readonly output?: string;
  readonly experiment?: string;
}

/**
 * Writes the report of an experiment: of a YAML file as it would run now, or of the latest run in a folder of artifacts.
 * @throws BadInputError if the source is neither
 */
export async function reportCommand(source: string, options: ReportCommandOptions): Promise<void> {
  const isFolder = await stat(source).then((info) => info.isDirectory());
  if (isFolder && options.storage !== undefined)
    throw new UsageError('--storage', 'goes with an experiment YAML; a folder of artifacts is the storage');
  if (!isFolder && options.experiment !== undefined)
    throw new UsageError('--experiment', 'chooses among the runs in a folder of artifacts; a YAML file is one experiment');
  const input = isFolder ? latestRun(source, options.experiment) : await currentPlan(source, options.storage);
  const file = options.output ?? reportFile(input.storage, input.name);
  const notes = await writeReport(input, resolve(file));
  for (const note of notes) process.stderr.write(`warning: ${note}\n`);
  process.stdout.write(`${file}\n`);
}

async function currentPlan(file: string, storage: string | undefined): Promise<ReportInput> {
  const { experiment, baseFolder, yaml } = await loadExperiment(file, storage);
  const { spec, metadata } = resolvePaths(experiment, baseFolder);
  const forecast = await forecastExperiment(experiment, { baseFolder, ...trainerOptions(process.env) });
  const stages = forecast.flatMap(({ stage, key }) =>
    key === undefined ? [] : [{ stage, key, folder: stageFolder(spec.storage.path, { name: stage, key }) }],
  );
  return { name: metadata.name, spec, yaml, stages, storage: spec.storage.path };
}

function latestRun(folder: string, experiment: string | undefined): ReportInput {
  const storage = resolve(folder);
  const names = listRecords(storage);
  if (names.length === 0) {
    throw new BadInputError('no experiment has run in this folder; name the folder of artifacts (runs/ beside the YAML by default)', {
      file: folder,
    });
  }
  if (experiment === undefined && names.length > 1) {
    throw new BadInputError(`several experiments have run in this folder; choose one with --experiment: ${names.join(', ')}`, {
      file: folder,
    });
  }
  const name = experiment ?? names[0];
  const record = readRecord(storage, name);
  if (record?.spec === undefined) {
    const message = names.includes(name)
      ? `the record of ${name} is damaged or of another version; name the YAML file instead`
      : `${name} has not run here; there are: ${names.join(', ')}`;
    throw new BadInputError(message, { file: folder });
  }
  const stages = record.stages.map((stage) => ({ stage: stage.name, key: stage.key, folder: stageFolder(storage, stage) }));
  return { name, spec: record.spec, stages, storage };
}
