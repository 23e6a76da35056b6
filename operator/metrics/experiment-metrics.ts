import { STAGES } from '../api/experiment.ts';
import type { StageName } from '../api/experiment.ts';
import { ExperimentStatus } from '../api/status.ts';
import type { LiveProgress } from '../controller/live-progress.ts';
import { endOf, hasEnded, troubleConditionOf } from '../controller/read-status.ts';
import { Exposition } from './exposition.ts';
import type { Family } from './exposition.ts';

type StageStatus = NonNullable<ExperimentStatus['stages']>[number];

/** An experiment as the operator has it in its cache, and what its running stages tell. */
export interface ExperimentFacts {
  readonly namespace: string;
  readonly name: string;
  readonly status: ExperimentStatus | undefined;
  readonly live: ReadonlyMap<StageName, LiveProgress>;
}

const gauge = <Label extends string = never>(name: string, help: string, labels: readonly Label[] = []) =>
  ({ name, help, labels: ['namespace', 'experiment', ...labels] }) satisfies Family as Family<'namespace' | 'experiment' | Label>;

/** What is told of experiments, by the leader alone. */
export const EXPERIMENT_FAMILIES = {
  experiments: { name: 'cdsp_operator_experiments', help: 'Experiments by phase.', labels: ['phase'] } as Family<'phase'>,
  info: gauge('cdsp_experiment_info', 'Always 1; phase and stage of an experiment.', ['phase', 'stage']),
  blocked: gauge('cdsp_experiment_stage_blocked', 'Always 1; why a stage that should run does not, in the cluster’s own word.', [
    'stage',
    'reason',
  ]),
  progress: gauge('cdsp_experiment_progress_ratio', 'Share of a stage that is done, in [0, 1], as its pod tells it.', ['stage']),
  loss: gauge('cdsp_experiment_loss', 'Latest loss by term, before its weight; term "total" is their weighted sum.', ['stage', 'term']),
  learningRate: gauge('cdsp_experiment_learning_rate', 'Learning rate of the latest step.', ['stage']),
  epoch: gauge('cdsp_experiment_epoch', 'Epochs that a training stage has done.', ['stage']),
  imagesPerSecond: gauge('cdsp_experiment_images_per_second', 'Images per second, lately.', ['stage']),
  meanIou: gauge('cdsp_experiment_mean_iou', 'Latest mIoU, in [0, 1].', ['stage']),
  iou: gauge('cdsp_experiment_iou', 'Latest IoU by class, in [0, 1].', ['stage', 'class']),
  pixelAccuracy: gauge('cdsp_experiment_pixel_accuracy', 'Share of the validation split’s pixels that are right, in [0, 1].'),
  pseudoLabels: gauge('cdsp_experiment_pseudo_label_mean_iou', 'mIoU of the pseudo-labels on the training split, in [0, 1].'),
  duration: gauge('cdsp_experiment_stage_duration_seconds', 'From the start of a stage to its end, or until now where it runs.', ['stage']),
  attempts: gauge('cdsp_experiment_stage_attempts', 'Attempts at a stage that failed, and the one under way or that was the last.', [
    'stage',
  ]),
  end: gauge('cdsp_experiment_end_timestamp_seconds', 'When an experiment ended, in seconds since the epoch.'),
} as const;

/** An experiment that has ended tells all for so long, so that nothing is lost between two scrapes; then no more than its phase and its mIoU. */
const DETAILS_MS = 3_600_000;
/** Of an experiment that no operator has looked at yet: a status never says so. */
const UNSEEN = 'Pending';
const PHASES = [UNSEEN, ...ExperimentStatus.shape.phase.unwrap().options];
const isDone = (stage: StageStatus | undefined): boolean => stage?.state === 'Complete' || stage?.state === 'Cached';

/** The stage that runs, or the one that it ended with. */
function stageOf(status: ExperimentStatus | undefined): string {
  if (status?.stage !== undefined) return status.stage;
  const last = status?.phase === 'Succeeded' ? status.stages?.findLast(isDone) : status?.stages?.find((stage) => !isDone(stage));
  return last?.name ?? '';
}

/** When an experiment ended, in milliseconds since the epoch. */
function endMsOf(status: ExperimentStatus | undefined): number | undefined {
  const end = endOf(status);
  return end === undefined ? undefined : Date.parse(end);
}

function tellsDetails(status: ExperimentStatus | undefined, now: number): boolean {
  if (!hasEnded(status)) return true;
  const end = endMsOf(status);
  return end !== undefined && now - end < DETAILS_MS;
}

function durationOf(stage: StageStatus | undefined, now: number): number | undefined {
  if (stage?.startTime === undefined) return undefined;
  const end = stage.completionTime === undefined ? undefined : Date.parse(stage.completionTime);
  // A stage that was stopped has no end; it does not go on.
  if (end === undefined && stage.state !== 'Running') return undefined;
  return Math.max(0, ((end ?? now) - Date.parse(stage.startTime)) / 1000);
}

type Labels = Readonly<Record<'namespace' | 'experiment', string>>;

function addStage(
  to: Exposition,
  experiment: Labels,
  name: StageName,
  stage: StageStatus | undefined,
  live: LiveProgress | undefined,
  now: number,
) {
  const labels = { ...experiment, stage: name };
  const families = EXPERIMENT_FAMILIES;
  // Not from the status, which stands still where pods cannot be asked: it would look like a stage that hangs.
  to.add(families.progress, labels, isDone(stage) ? 1 : live && Math.min(1, live.done / Math.max(1, live.total)));
  to.add(families.loss, { ...labels, term: 'total' }, live?.loss ?? stage?.loss);
  for (const { name: term, value } of live?.losses ?? stage?.losses ?? []) {
    // The sum has this name.
    if (term !== 'total') to.add(families.loss, { ...labels, term }, value);
  }
  to.add(families.learningRate, labels, live?.learningRate);
  to.add(families.epoch, labels, live?.epoch);
  to.add(families.imagesPerSecond, labels, live?.imagesPerSecond);
  to.add(families.meanIou, labels, live?.meanIou ?? stage?.meanIou);
  live?.iou?.forEach((value, i) => to.add(families.iou, { ...labels, class: live.classes?.[i] ?? '' }, value));
  to.add(families.duration, labels, durationOf(stage, now));
  to.add(families.attempts, labels, stage?.attempts);
}

function addDetails(to: Exposition, labels: Labels, { status, live }: ExperimentFacts, now: number): void {
  const families = EXPERIMENT_FAMILIES;
  let evaluateTellsItself = false;
  for (const name of STAGES) {
    const stage = status?.stages?.find((entry) => entry.name === name);
    // A pod that still ends has nothing to add to a stage that is complete.
    const told = isDone(stage) ? undefined : live.get(name);
    if (stage !== undefined || told !== undefined) addStage(to, labels, name, stage, told, now);
    evaluateTellsItself ||= name === 'evaluate' && told?.iou !== undefined;
  }
  const { pixelAccuracy, pseudoLabelMeanIou, classes = [] } = status?.results ?? {};
  to.add(families.pixelAccuracy, labels, pixelAccuracy);
  to.add(families.pseudoLabels, labels, pseudoLabelMeanIou);
  if (!evaluateTellsItself) {
    for (const { name, iou } of classes) to.add(families.iou, { ...labels, stage: 'evaluate', class: name }, iou);
  }
  const end = endMsOf(status);
  to.add(families.end, labels, end === undefined ? undefined : end / 1000);
  const trouble = troubleConditionOf(status);
  // A suspended stage should not run.
  if (trouble !== undefined && !hasEnded(status) && status?.phase !== 'Suspended') {
    to.add(families.blocked, { ...labels, stage: stageOf(status), reason: trouble.reason }, 1);
  }
}

/**
 * The series of all experiments, in Prometheus' text format. They are made from the cache at each scrape, so that a series is there exactly as long as
 * what it speaks of.
 * @param now in milliseconds since the epoch
 */
export function experimentMetrics(experiments: Iterable<ExperimentFacts>, now: number): string {
  const to = new Exposition(Object.values(EXPERIMENT_FAMILIES));
  const counts = new Map<string, number>(PHASES.map((phase) => [phase, 0]));
  for (const facts of experiments) {
    const { namespace, name, status } = facts;
    const phase = status?.phase ?? UNSEEN;
    const labels = { namespace, experiment: name };
    counts.set(phase, (counts.get(phase) ?? 0) + 1);
    to.add(EXPERIMENT_FAMILIES.info, { ...labels, phase, stage: stageOf(status) }, 1);
    if (tellsDetails(status, now)) addDetails(to, labels, facts, now);
    else to.add(EXPERIMENT_FAMILIES.meanIou, { ...labels, stage: stageOf(status) }, status?.results?.meanIou ?? status?.meanIou);
  }
  for (const [phase, count] of counts) to.add(EXPERIMENT_FAMILIES.experiments, { phase }, count);
  return to.text();
}
