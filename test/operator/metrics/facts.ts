import type { ExperimentStatus } from '../../../operator/api/status.ts';
import type { LiveProgress } from '../../../operator/controller/live-progress.ts';
import type { ExperimentFacts } from '../../../operator/metrics/experiment-metrics.ts';

type Stages = NonNullable<ExperimentStatus['stages']>;
type Condition = NonNullable<ExperimentStatus['conditions']>[number];

/** 2026-01-01T12:00:00Z; the experiments of the tests live around it. */
export const NOON = Date.parse('2026-01-01T12:00:00Z');

const time = (minutes: number) => new Date(NOON + 60_000 * minutes).toISOString();
const condition = (type: string, status: Condition['status'], reason: string, minutes: number): Condition => ({
  type,
  status,
  reason,
  message: 'because',
  lastTransitionTime: time(minutes),
});

const classify: Stages[number] = {
  name: 'classify',
  state: 'Complete',
  attempts: 2,
  loss: 0.25,
  startTime: time(-60),
  completionTime: time(-50),
};
const pseudoLabel: Stages[number] = { name: 'pseudo-label', state: 'Cached' };

export const LIVE: LiveProgress = {
  done: 30,
  total: 120,
  loss: 1.5,
  losses: [
    { name: 'scribble', value: 0.5 },
    { name: 'lorm', value: 0.75 },
  ],
  learningRate: 0.01,
  gradientNorm: 3,
  epoch: 2,
  imagesPerSecond: 7.5,
  meanIou: 0.5,
  iou: [0.75, null, 0.25],
  classes: ['background', 'cat', 'dog'],
};

export const running: ExperimentFacts = {
  namespace: 'lab',
  name: 'cats',
  live: new Map([['segment', LIVE]]),
  status: {
    phase: 'Running',
    stage: 'segment',
    conditions: [condition('Succeeded', 'Unknown', 'Running', -60)],
    stages: [
      classify,
      pseudoLabel,
      { name: 'segment', state: 'Running', attempts: 1, startTime: time(-10), loss: 9, progress: 1 },
      { name: 'evaluate', state: 'Pending' },
    ],
  },
};

export const blocked: ExperimentFacts = {
  namespace: 'lab',
  name: 'waiting',
  live: new Map(),
  status: {
    phase: 'Running',
    stage: 'classify',
    conditions: [condition('Succeeded', 'Unknown', 'Unschedulable', -60), condition('Scheduled', 'False', 'Unschedulable', -60)],
    stages: [{ name: 'classify', state: 'Running', attempts: 1 }],
  },
};

/** @param minutes when it ended, from noon */
export const failed = (minutes: number): ExperimentFacts => ({
  namespace: 'lab',
  name: 'broken',
  live: new Map(),
  status: {
    phase: 'Failed',
    stage: 'segment',
    completionTime: time(minutes),
    conditions: [condition('Succeeded', 'False', 'BadInput', minutes)],
    stages: [
      classify,
      { name: 'segment', state: 'Failed', attempts: 4, startTime: time(minutes - 5), completionTime: time(minutes), loss: 2 },
    ],
  },
});

/** @param minutes when it ended, from noon */
export const finished = (minutes: number): ExperimentFacts => ({
  namespace: 'lab',
  name: 'done',
  live: new Map(),
  status: {
    phase: 'Succeeded',
    stage: 'evaluate',
    meanIou: 0.625,
    completionTime: time(minutes),
    conditions: [condition('Succeeded', 'True', 'Succeeded', minutes)],
    results: {
      meanIou: 0.625,
      pixelAccuracy: 0.875,
      pseudoLabelMeanIou: 0.5,
      classes: [{ name: 'background', iou: 0.75 }, { name: 'cat', iou: 0.5 }, { name: 'dog' }],
    },
    stages: [
      classify,
      pseudoLabel,
      { name: 'evaluate', state: 'Complete', meanIou: 0.625, startTime: time(minutes - 1), completionTime: time(minutes) },
    ],
  },
});

/** As the cache keeps it when there is nothing left to do about it. */
export const settled: ExperimentFacts = {
  namespace: 'lab',
  name: 'old',
  live: new Map(),
  status: { phase: 'Succeeded', meanIou: 0.625, stages: [{ name: 'classify', state: 'Complete' }, pseudoLabel] },
};
