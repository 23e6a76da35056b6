import type { StageForecast } from '../../plan/forecast.ts';
import { forecastExperiment } from '../../local/run-experiment.ts';
import { loadExperiment } from '../load-experiment.ts';
import { choosePaint, type Paint } from '../style.ts';
import { trainerOptions } from '../trainer.ts';
import { renderTable } from '../table.ts';

/** Shows what a run would do, and why. Starts nothing. */
export async function planCommand(file: string, options: { storage?: string; json?: boolean }): Promise<void> {
  const { experiment, baseFolder } = await loadExperiment(file, options.storage);
  const stages = await forecastExperiment(experiment, { baseFolder, ...trainerOptions(process.env) });
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ experiment: experiment.metadata.name, stages })}\n`);
    return;
  }
  process.stdout.write(renderForecast(stages, choosePaint(process.stdout, process.env)));
}

const ACTIONS: Record<StageForecast['action'], string> = { Run: 'run', Reuse: 'reuse', Resume: 'resume', Omit: 'leave out' };

/** The plan as a table: stage, what would be done with it, the first digits of its key, why. */
export function renderForecast(stages: readonly StageForecast[], paint: Paint): string {
  const rows = stages.map(({ stage, action, key, because }) => [stage, ACTIONS[action], key?.slice(0, 12) ?? '', because.join('; ')]);
  const table = renderTable(['stage', 'action', 'key', 'why'], rows, paint);
  const work = stages.filter(({ action }) => action === 'Run' || action === 'Resume').map(({ stage }) => stage);
  const summary = work.length === 0 ? 'Nothing to do: every stage is complete.' : `Would run: ${work.join(', ')}.`;
  return `${table}\n${summary}\n`;
}
