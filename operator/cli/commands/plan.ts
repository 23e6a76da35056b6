import type { StageForecast } from '../../plan/forecast.ts';
import type { RunEvent } from '../../local/run-events.ts';
import { forecastExperiment } from '../../local/run-experiment.ts';
import { loadExperiment, locateBadInput } from '../load-experiment.ts';
import { printable } from '../progress/format.ts';
import { choosePaint, type Paint } from '../style.ts';
import { trainerOptions } from '../trainer.ts';
import { renderTable } from '../table.ts';

/** Shows what a run would do, and why. Starts nothing. */
export async function planCommand(file: string, options: { storage?: string; verify: boolean; json?: boolean }): Promise<void> {
  const loaded = await loadExperiment(file, options.storage);
  const { experiment, baseFolder } = loaded;
  // What is damaged is said here; in the table it is unfinished like any other.
  const onEvent = (event: RunEvent) => {
    if (event.type === 'note') process.stderr.write(`${event.level}: ${printable(event.message)}\n`);
  };
  const settings = { baseFolder, verify: options.verify, onEvent, ...trainerOptions(process.env) };
  const stages = await locateBadInput(loaded, () => forecastExperiment(experiment, settings));
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
  const all = stages.some(({ action }) => action === 'Omit') ? 'every stage that is needed' : 'every stage';
  const summary = work.length === 0 ? `Nothing to do: ${all} is complete.` : `Would run: ${work.join(', ')}.`;
  return `${table}\n${summary}\n`;
}
