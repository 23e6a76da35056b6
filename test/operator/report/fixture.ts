import type { Example, Picture, ReportData, TrainingCurves } from '../../../operator/report/report-data.ts';
import { summarizeHistory } from '../../../operator/report/history.ts';
import type { HistoryLine } from '../../../operator/report/stage-records.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { VOC_PALETTE } from '../../../trainer-image/data/index-png.ts';

/** Report data that look like a real run, made from nothing. */

const SIX_CLASSES = ['background', 'person', 'cat', 'dog', 'cow', 'horse', 'sheep'];
export const VOC_CLASSES = [
  ...['background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable', 'dog'],
  ...['horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'],
];

/** Names that would break a page which does not escape them, or has no room for them. */
export const HOSTILE_CLASSES = [
  'background',
  'a very long class name with spaces that goes on and on until 63',
  'Anotherverylongclassnamewithoutanyspacesatallthatneverbreaks00',
  '<script>alert(1)</script>',
  `{b} "&" '@ink' <!--`,
];

/** History of a training stage of `steps` steps in 20 epochs. */
export function historyOf(steps: number, terms: readonly string[], perEpoch: Partial<HistoryLine> = {}): HistoryLine[] {
  const random = createRandom('history', steps);
  return Array.from({ length: steps }, (_, step) => {
    const progress = step / steps;
    const values = Object.fromEntries(
      terms.map((term, i) => {
        const late = i >= 2 ? Math.max(0, Math.min(1, progress * 3 - 1)) : 1;
        return [term, late * (0.25 + 1.4 * Math.exp(-4 * progress)) * (0.75 + 0.5 * random()) * (1 - i * 0.14)];
      }),
    );
    const loss =
      terms.length > 0
        ? Object.values(values).reduce((sum, value) => sum + value, 0)
        : 0.1 + Math.exp(-3 * progress) * (0.8 + 0.4 * random());
    const epoch = Math.floor(progress * 20);
    const last = Math.floor(((step + 1) / steps) * 20) > epoch;
    const learningRate = 0.01 * Math.min(progress * 10, 0.5 + 0.5 * Math.cos(Math.PI * progress));
    return {
      step,
      epoch,
      learningRate,
      loss,
      terms: values,
      ...(last ? perEpoch : {}),
      ...(last && perEpoch.meanAveragePrecision ? { meanAveragePrecision: 0.95 - 0.6 * Math.exp(-4 * progress) } : {}),
    };
  });
}

function curves(lines: HistoryLine[]): TrainingCurves {
  const summary = summarizeHistory(lines);
  if (summary === null) throw new Error('a fixture has at least one step');
  return summary;
}

/** A confusion matrix with a strong diagonal. */
export function confusionOf(count: number): number[][] {
  const random = createRandom('confusion', count);
  return Array.from({ length: count }, (_, truth) =>
    Array.from({ length: count }, (_, predicted) =>
      Math.round((truth === predicted ? 60000 + 30000 * random() : 9000 * random() ** 4) * (truth === 0 ? 8 : 1)),
    ),
  );
}

const PIXEL = (hue: number) =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="192" height="128"><rect width="192" height="128" fill="hsl(${hue} 40% 55%)"/><circle cx="90" cy="70" r="40" fill="hsl(${hue + 120} 60% 70%)"/></svg>`)}`;

function picture(title: string, hue: number, chosen = false): Picture {
  return { title, alt: `${title} in hue ${hue}`, src: PIXEL(hue), width: 192, height: 128, crisp: false, chosen };
}

function example(id: string, titles: readonly string[], strips: boolean): Example {
  const strip = (title: string) => ({
    title,
    pictures: [4, 5, 6, 7, 8].map((lambda, i) => picture(`λ = ${lambda}`, lambda * 30, i === 2)),
  });
  return {
    id,
    classes: ['cat', 'dog'],
    pictures: titles.map((title, i) => picture(title, i * 50)),
    strips: strips ? [strip('Class distance'), strip('Scribble distance')] : [],
  };
}

/** A complete run. */
export function completeReport(names: readonly string[] = SIX_CLASSES): ReportData {
  const confusion = confusionOf(names.length);
  const columns = names.map((_, i) => confusion.reduce((sum, row) => sum + row[i], 0));
  const iou = confusion.map((row, i) => row[i] / (row.reduce((sum, pixels) => sum + pixels, 0) + columns[i] - row[i]));
  const all = confusion.flat().reduce((sum, pixels) => sum + pixels, 0);
  const stage = (name: ReportData['stages'][number]['stage'], seconds: number) =>
    ({
      stage: name,
      state: 'Complete',
      key: `${name}-0123456789abcdef0123456789abcdef0123456789abcdef`,
      seconds,
      trainer: '0.1.0',
    }) as const;
  return {
    name: 'pets-from-scribbles',
    facts: ['efficientnet-lite0 + deeplabv3plus', `${names.length} classes`, 'seed 0'],
    createdAt: '2025-03-04T05:06:07.000Z',
    yaml: `apiVersion: cdsp.dev/v1alpha1\nkind: CDSPExperiment\nmetadata:\n  name: pets-from-scribbles\nspec:\n  dataset:\n    folder:\n      path: a/${'very/'.repeat(30)}long/path\n`,
    classes: names.map((name, i) => ({
      name,
      color: `#${VOC_PALETTE[i].map((channel) => channel.toString(16).padStart(2, '0')).join('')}`,
    })),
    stages: [stage('classify', 83), stage('pseudo-label', 47.3), stage('segment', 8123), stage('evaluate', 9.1)],
    failure: null,
    classify: curves(historyOf(900, [], { meanAveragePrecision: 1 })),
    segment: curves(
      historyOf(5000, ['scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm']).map((line) => ({
        ...line,
        gradientNorm: 4 * (line.terms?.scribble ?? 0) * (line.step % 7),
      })),
    ),
    validation: Array.from({ length: 20 }, (_, i) => ({ epoch: i + 1, step: (i + 1) * 250, meanIou: 0.72 - 0.6 * Math.exp(-i / 4) })),
    pseudoLabel: {
      threshold: 0.35,
      candidates: [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5].map((threshold) => ({ threshold, agreement: 0.57 - 4 * (threshold - 0.35) ** 2 })),
      quality: [
        { name: 'plain', meanIou: 0.43 },
        { name: 'refined', meanIou: 0.721 },
      ],
      sure: null,
    },
    evaluation: {
      images: 288,
      confusion,
      iou,
      meanIou: iou.reduce((sum, value) => sum + value, 0) / iou.length,
      pixelAccuracy: confusion.reduce((sum, row, i) => sum + row[i], 0) / all,
    },
    unscoredImages: null,
    counts: [
      { label: 'Training images', value: 712 },
      { label: 'Images without a scribble', value: 3 },
      { label: 'Validation images', value: 288 },
      { label: 'Pixels evaluated', value: all },
    ],
    gallery: {
      training: [
        example('2007_000032', ['Image', 'Scribbles', 'Activation (CAM)', 'Pseudo-label', 'Truth'], true),
        example('2007_000129', ['Image', 'Scribbles', 'Activation (CAM)', 'Pseudo-label'], true),
      ],
      validation: [
        example('2008_000123', ['Image', 'Prediction', 'Truth', 'Mistakes, 4.2 %'], false),
        example('2008_000999', ['Image', 'Prediction', 'Truth', 'Mistakes, 11.0 %'], false),
      ],
    },
    notes: [],
  };
}

/** Nothing has run yet. */
export function emptyReport(): ReportData {
  const complete = completeReport();
  return {
    ...complete,
    stages: complete.stages.map((stage) => ({ ...stage, state: 'NotRun', seconds: null, trainer: null })),
    classify: null,
    segment: null,
    validation: [],
    pseudoLabel: null,
    evaluation: null,
    unscoredImages: null,
    counts: [],
    gallery: { training: [], validation: [] },
  };
}
