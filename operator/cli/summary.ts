import { join } from 'node:path';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { unscoredSentence } from '../../trainer-image/evaluation/unscored.ts';
import { formatDuration } from '../duration.ts';
import type { RunResult } from '../local/run-experiment.ts';
import { readRecord } from '../report/stage-files.ts';
import { EvaluationRecord } from '../report/stage-records.ts';
import { formatCount, formatPercent } from './progress/format.ts';
import type { Paint } from './style.ts';
import { renderTable } from './table.ts';

/** What a run comes to. Ratios in [0, 1], times in seconds, paths absolute. */
export interface RunSummary {
  readonly outcome: RunResult['outcome'];
  readonly exitCode: number;
  readonly storage: string;
  readonly stages: readonly {
    readonly stage: string;
    readonly key: string;
    readonly state: string;
    /** Working time, all attempts together, also those of earlier runs. */
    readonly seconds?: number;
  }[];
  readonly failure?: RunResult['failure'];
  readonly evaluation?: EvaluationRecord;
  readonly report?: string;
  /** Folder of the trained segmentor, for `cdsp predict`. */
  readonly model?: string;
}

/** Puts together what the stages left. */
export async function collectSummary(result: RunResult, report: string | undefined): Promise<RunSummary> {
  const { outcome, exitCode, storage, failure } = result;
  const complete = result.stages.filter(({ manifest }) => manifest !== undefined);
  const folder = (name: string) => complete.find(({ stage }) => stage === name)?.folder;
  const evaluated = folder('evaluate');
  const evaluation =
    evaluated === undefined ? null : await readRecord(join(evaluated, ARTIFACTS.evaluate.evaluation), EvaluationRecord, []);
  const stages = result.stages.map(({ stage, key, state, manifest }) => ({ stage, key, state: state.kind, seconds: manifest?.seconds }));
  return { outcome, exitCode, storage, stages, failure, evaluation: evaluation ?? undefined, report, model: folder('segment') };
}

const BAR_CELLS = 20;

/** The summary for people: IoU of each class, stage times, where things are and what to do next. */
export function renderSummary(
  summary: RunSummary,
  { program, display, paint }: { readonly program: string; readonly display: (path: string) => string; readonly paint: Paint },
): string {
  const { evaluation, stages, report, model, outcome } = summary;
  const parts: string[] = [];
  if (evaluation !== undefined) parts.push(renderEvaluation(evaluation, paint));
  if (stages.length > 0) {
    // Nothing is left to do after a success: a stage that has not run was not needed.
    const without = (state: string) => (outcome === 'Succeeded' ? 'not needed' : state.toLowerCase());
    const time = ({ state, seconds }: RunSummary['stages'][number]) =>
      `${seconds === undefined ? without(state) : formatDuration(seconds)}${state === 'Cached' ? ' (earlier)' : ''}`;
    parts.push(
      renderTable(
        ['stage', 'time'],
        stages.map((stage) => [stage.stage, time(stage)]),
        paint,
      ),
    );
  }
  const next: string[] = [];
  if (report !== undefined) next.push(`report   ${display(report)}`);
  if (model !== undefined)
    next.push(`model    ${display(model)}`, `predict  ${program} predict ${display(model)} IMAGES --output predictions --overlay`);
  if (next.length > 0) parts.push(`${next.join('\n')}\n`);
  if (outcome === 'Interrupted') parts.push('Interrupted. The same command resumes.\n');
  if (outcome === 'Suspended') parts.push('Suspended: spec.suspend is true.\n');
  return parts.length === 0 ? '' : `\n${parts.join('\n')}`;
}

function renderEvaluation(evaluation: EvaluationRecord, paint: Paint): string {
  const { classes, iou, meanIou, pixelAccuracy, images } = evaluation;
  if (iou === null) return `${unscoredSentence(images)}\n`;
  const bar = (ratio: number | null) => '▇'.repeat(Math.round((ratio ?? 0) * BAR_CELLS));
  const rows = [
    ...classes.map((name, index) => [name, formatPercent(iou[index]), bar(iou[index])]),
    ['mIoU', formatPercent(meanIou), bar(meanIou)],
  ];
  const table = renderTable(['class', 'IoU %', ''], rows, paint, [1]).trimEnd().split('\n');
  const mean = table.pop() ?? '';
  const accuracy = `pixel accuracy ${formatPercent(pixelAccuracy)} % on ${formatCount(images, 'image')}`;
  return [...table, paint('bold', mean), accuracy, ''].join('\n');
}
