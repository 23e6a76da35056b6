import { join } from 'node:path';
import { VOC_PALETTE } from '../../trainer-image/data/index-png.ts';
import type { Dataset } from '../../trainer-image/data/types.ts';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { STAGES } from '../api/experiment.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import { Manifest } from '../api/stage-contract.ts';
import { isNeeded } from '../plan/decide.ts';
import { stageGraph } from '../plan/plan.ts';
import { collectGallery } from './gallery.ts';
import { summarizeHistory } from './history.ts';
import type { Count, PseudoLabelSummary, ReportClass, ReportData, StageFailure, StageSummary } from './report-data.ts';
import { EvaluationRecord, HistoryLine, QualityRecord, ValidationLine } from './stage-records.ts';
import { listFiles, readLines, readRecord } from './stage-files.ts';

/** Where a report's content comes from. */
export interface ReportSource {
  readonly experiment: Experiment;
  /** The experiment as the person wrote it. */
  readonly yaml?: string;
  /** Key and folder of every stage in the plan; a stage that the experiment does not need is absent. */
  readonly stages: readonly { readonly stage: StageName; readonly key: string; readonly folder: string }[];
  /** For the gallery and the class names; without it there are no pictures. */
  readonly dataset?: Dataset;
  readonly failure?: StageFailure;
  /** ISO 8601. */
  readonly createdAt?: string;
}

/**
 * Reads what the stages have written so far. A stage that has not run or not finished leaves gaps; damaged files become notes.
 */
export async function collectReport(source: ReportSource): Promise<ReportData> {
  const { spec, metadata } = source.experiment;
  const notes: string[] = [];
  const folder = (stage: StageName) => source.stages.find((planned) => planned.stage === stage)?.folder;
  const within = (stage: StageName, name: string) => join(folder(stage) ?? join('not', 'planned'), name);
  const history = async (stage: 'classify' | 'segment') =>
    summarizeHistory([
      ...(await readLines(within(stage, ARTIFACTS[stage].history), HistoryLine, notes)),
      ...(stage === 'classify' ? await readLines(within(stage, ARTIFACTS.classify.validation), HistoryLine, notes) : []),
    ]);

  const evaluation = await readRecord(within('evaluate', ARTIFACTS.evaluate.evaluation), EvaluationRecord, notes);
  const validation = await readLines(within('segment', ARTIFACTS.segment.validation), ValidationLine, notes);
  const quality = await readRecord(within('pseudo-label', ARTIFACTS.pseudoLabel.quality), QualityRecord, notes);
  const manifests = await readManifests(source, notes);
  const names = evaluation?.classes ?? source.dataset?.classes ?? spec.dataset.classes ?? [];
  const classes = names.map(describeClass);
  return {
    name: metadata.name,
    facts: describe(source.experiment, classes.length),
    createdAt: source.createdAt ?? null,
    yaml: source.yaml ?? null,
    classes,
    stages: withoutUnneeded(spec, await Promise.all(STAGES.map((stage) => summarizeStage(stage, source, manifests)))),
    failure: source.failure ?? null,
    classify: await history('classify'),
    segment: await history('segment'),
    validation: validation.flatMap(({ epoch, step, meanIou }) => (meanIou === null ? [] : [{ epoch, step, meanIou }])),
    pseudoLabel: quality && summarizeQuality(quality),
    evaluation: evaluation?.confusion ? evaluation : null,
    unscoredImages: evaluation?.confusion === null ? evaluation.images : null,
    counts: count(source.dataset, manifests, quality, evaluation),
    gallery: source.dataset
      ? await collectGallery(
          { spec, dataset: source.dataset, classes: names, pseudoLabel: folder('pseudo-label'), evaluate: folder('evaluate') },
          notes,
        )
      : { training: [], validation: [] },
    notes,
  };
}

function describeClass(name: string, index: number): ReportClass {
  const color = VOC_PALETTE[index].map((channel) => channel.toString(16).padStart(2, '0')).join('');
  return { name, color: `#${color}` };
}

function describe({ spec }: Experiment, classes: number): string[] {
  const source = spec.pseudoLabels.source === 'External' ? ['pseudo-labels of another method'] : [];
  const { shrink, drop } = spec.scribbles;
  return [
    `${spec.model.backbone} + ${spec.model.segmentor}`,
    ...(classes > 0 ? [`${classes} classes`] : []),
    `seed ${spec.seed}`,
    ...source,
    ...(shrink > 0 ? [`scribbles shrunk by ${Math.round(shrink * 100)} %`] : []),
    ...(drop > 0 ? [`${Math.round(drop * 100)} % of the scribbles dropped`] : []),
  ];
}

async function readManifests({ stages }: ReportSource, notes: string[]): Promise<Map<StageName, Manifest>> {
  const manifests = new Map<StageName, Manifest>();
  for (const { stage, folder } of stages) {
    const manifest = await readRecord(join(folder, ARTIFACTS.manifest), Manifest, notes);
    if (manifest !== null) manifests.set(stage, manifest);
  }
  return manifests;
}

async function summarizeStage(stage: StageName, source: ReportSource, manifests: ReadonlyMap<StageName, Manifest>): Promise<StageSummary> {
  const planned = source.stages.find((candidate) => candidate.stage === stage);
  if (planned === undefined) return { stage, state: 'NotNeeded', key: null, seconds: null, trainer: null };
  const manifest = manifests.get(stage);
  if (manifest !== undefined) return { stage, state: 'Complete', key: planned.key, seconds: manifest.seconds, trainer: manifest.trainer };
  if (source.failure?.stage === stage) return { stage, state: 'Failed', key: planned.key, seconds: null, trainer: null };
  const state = (await listFiles(planned.folder)).length > 0 ? 'Unfinished' : 'NotRun';
  return { stage, state, key: planned.key, seconds: null, trainer: null };
}

/** A stage that a run would leave out, as its folder is gone and nobody needs it, is not needed here either. */
function withoutUnneeded(spec: Experiment['spec'], summaries: readonly StageSummary[]): StageSummary[] {
  const stages = [...stageGraph(spec).dependsOn].map(([name, dependsOn]) => ({ name, dependsOn }));
  const complete = summaries.filter(({ state }) => state === 'Complete');
  const observed = new Map(complete.map(({ stage }) => [stage, { kind: 'Complete' as const }]));
  return summaries.map((summary) => {
    const isLeftOut = summary.state === 'NotRun' && !isNeeded({ name: summary.stage }, { stages }, observed);
    return isLeftOut ? { ...summary, state: 'NotNeeded' } : summary;
  });
}

function summarizeQuality({ threshold, candidates, quality, sure }: QualityRecord): PseudoLabelSummary {
  return {
    threshold: threshold ?? null,
    candidates: (candidates ?? [])
      .flatMap(({ threshold, agreement }) => (agreement === null ? [] : [{ threshold, agreement }]))
      .sort((a, b) => a.threshold - b.threshold),
    quality: Object.entries(quality ?? {}).flatMap(([name, meanIou]) => (meanIou === null ? [] : [{ name, meanIou }])),
    sure: sure === undefined || sure.meanIou === null ? null : { meanIou: sure.meanIou, share: sure.share },
  };
}

function count(
  dataset: Dataset | undefined,
  manifests: ReadonlyMap<StageName, Manifest>,
  quality: QualityRecord | null,
  evaluation: EvaluationRecord | null,
): Count[] {
  // Every stage that reads the scribbles says how many images have none.
  const unannotated = [...manifests.values()]
    .map(({ metrics }) => metrics.imagesWithoutScribble)
    .find((value) => typeof value === 'number');
  const counts: [string, number | undefined][] = [
    ['Training images', dataset?.train.length ?? quality?.images],
    ['Images without a scribble', quality?.imagesWithoutScribble ?? unannotated],
    ['Validation images', evaluation?.images ?? dataset?.val.length],
    ['Pixels evaluated', evaluation?.confusion?.flat().reduce((sum, pixels) => sum + pixels, 0)],
  ];
  return counts.flatMap(([label, value]) => (value === undefined ? [] : [{ label, value }]));
}
