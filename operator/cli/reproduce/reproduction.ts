import { dump } from 'js-yaml';
import { API_VERSION, KIND, ObjectMeta } from '../../api/experiment.ts';
import type { ExperimentSpec } from '../../api/experiment.ts';
import { printable } from '../progress/format.ts';
import { UsageError } from '../usage-error.ts';

/** An experiment that repeats a run. */
export interface Reproduction {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  /** Everything written out, so that no default of another version changes it. */
  readonly spec: ExperimentSpec;
  /** What it repeats and what to compare with; lines for people. */
  readonly notes: readonly string[];
}

export interface ReproductionOptions {
  /** Name of the new experiment; left out: that of the old one with -repro. */
  readonly name?: string;
  /** Keeps the artifacts where those of the old run are: what is complete there is reused. */
  readonly sameStorage?: boolean;
}

const SUFFIX = '-repro';
const LONGEST_NAME = 52;

/** @throws UsageError where a name was asked for that no experiment can have */
export function reproductionName(old: string, wanted: string | undefined): string {
  if (wanted === undefined) return `${old.slice(0, LONGEST_NAME - SUFFIX.length).replace(/-+$/, '')}${SUFFIX}`;
  const { error } = ObjectMeta.shape.name.safeParse(wanted);
  if (error !== undefined) throw new UsageError('--name', `${error.issues[0].message}, is "${wanted}"`);
  return wanted;
}

/** `0.6123`; a share as the status has it, to four digits. */
const share = (value: number): string => value.toFixed(4);

export interface Results {
  readonly meanIou?: number;
  readonly pixelAccuracy?: number;
  readonly pseudoLabelMeanIou?: number;
  readonly classes?: readonly { readonly name: string; readonly iou?: number }[];
}

/** Results as lines, each class on one of its own. */
export function resultNotes({ meanIou, pixelAccuracy, pseudoLabelMeanIou, classes = [] }: Results): string[] {
  const sums: [string, number | undefined][] = [
    ['mIoU', meanIou],
    ['pixel accuracy', pixelAccuracy],
    ['mIoU of the pseudo-labels', pseudoLabelMeanIou],
  ];
  const known = sums.flatMap(([what, value]) => (value === undefined ? [] : [`  ${what} ${share(value)}`]));
  const ious = classes.flatMap(({ name, iou }) => (iou === undefined ? [] : [`  IoU ${share(iou)} ${name}`]));
  return known.length + ious.length === 0 ? ['It has no results to compare with.'] : ['Results to compare with:', ...known, ...ious];
}

export const keyNotes = (stages: readonly { readonly name: string; readonly key?: string }[]): string[] => [
  'Stage keys of that run:',
  ...stages.flatMap(({ name, key }) => (key === undefined ? [] : [`  ${name} ${key}`])),
];

/** Names of classes may hold anything; a comment ends with its line. */
const comment = (line: string): string =>
  `# ${printable(line)
    .replaceAll('\n', ' ')
    .replace(/[\u2028\u2029]/g, ' ')}`.trimEnd();

/** The experiment as YAML, with the notes in front. */
export function renderReproduction({ metadata, spec, notes }: Reproduction): string {
  const manifest = { apiVersion: API_VERSION, kind: KIND, metadata, spec };
  return `${notes.map(comment).join('\n')}\n${dump(manifest, { noRefs: true, lineWidth: 120 })}`;
}
