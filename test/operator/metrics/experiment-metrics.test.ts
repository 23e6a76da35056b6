import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { experimentMetrics } from '../../../operator/metrics/experiment-metrics.ts';
import type { ExperimentFacts } from '../../../operator/metrics/experiment-metrics.ts';
import { blocked, failed, finished, LIVE, NOON, running, settled } from './facts.ts';

/** The series of these experiments, without `cdsp_experiment_` and the labels that all of one experiment have. */
function series(...experiments: readonly ExperimentFacts[]): string[] {
  const lines = experimentMetrics(experiments, NOON).split('\n');
  return lines
    .filter((line) => line.startsWith('cdsp_experiment_'))
    .map((line) => line.slice('cdsp_experiment_'.length).replace(/namespace="lab",experiment="[a-z]+",?/, ''));
}

test('a running experiment tells what its running stage says, and what its status says of the others', () => {
  assert.equal(series(running), [
    'info{phase="Running",stage="segment"} 1',
    'progress_ratio{stage="classify"} 1',
    'progress_ratio{stage="pseudo-label"} 1',
    'progress_ratio{stage="segment"} 0.25',
    'loss{stage="classify",term="total"} 0.25',
    'loss{stage="segment",term="total"} 1.5',
    'loss{stage="segment",term="scribble"} 0.5',
    'loss{stage="segment",term="lorm"} 0.75',
    'learning_rate{stage="segment"} 0.01',
    'epoch{stage="segment"} 2',
    'images_per_second{stage="segment"} 7.5',
    'mean_iou{stage="segment"} 0.5',
    'iou{stage="segment",class="background"} 0.75',
    'iou{stage="segment",class="dog"} 0.25',
    'stage_duration_seconds{stage="classify"} 600',
    'stage_duration_seconds{stage="segment"} 600',
    'stage_attempts{stage="classify"} 2',
    'stage_attempts{stage="segment"} 1',
  ]);
});

test('a stage that cannot run says why', () => {
  assert.ok(series(blocked).includes('stage_blocked{stage="classify",reason="Unschedulable"} 1'));
});

test('a stage of a suspended experiment is not blocked: it should not run', () => {
  const suspended: ExperimentFacts = { ...blocked, status: { ...blocked.status, phase: 'Suspended' } };
  assert.equal(
    series(suspended).filter((line) => line.startsWith('stage_blocked')),
    [],
  );
});

test('a running stage that tells nothing has no progress: what the status says stands still', () => {
  const silent = { ...running, live: new Map() };
  assert.equal(
    series(silent).filter((line) => line.startsWith('progress_ratio{stage="segment"')),
    [],
  );
});

test('an experiment that has just ended tells all of it', () => {
  assert.equal(series(finished(-59)), [
    'info{phase="Succeeded",stage="evaluate"} 1',
    'progress_ratio{stage="classify"} 1',
    'progress_ratio{stage="pseudo-label"} 1',
    'progress_ratio{stage="evaluate"} 1',
    'loss{stage="classify",term="total"} 0.25',
    'mean_iou{stage="evaluate"} 0.625',
    'iou{stage="evaluate",class="background"} 0.75',
    'iou{stage="evaluate",class="cat"} 0.5',
    'pixel_accuracy{} 0.875',
    'pseudo_label_mean_iou{} 0.5',
    'stage_duration_seconds{stage="classify"} 600',
    'stage_duration_seconds{stage="evaluate"} 60',
    'stage_attempts{stage="classify"} 2',
    `end_timestamp_seconds{} ${NOON / 1000 - 59 * 60}`,
  ]);
});

test('a pod that has not quite ended yet adds nothing to a stage that is complete, and hides nothing of it', () => {
  assert.equal(series({ ...finished(-59), live: new Map([['evaluate', LIVE]]) }), series(finished(-59)));
});

const lean: [why: string, facts: ExperimentFacts, series: string[]][] = [
  ['one that ended an hour ago', finished(-60), ['info{phase="Succeeded",stage="evaluate"} 1', 'mean_iou{stage="evaluate"} 0.625']],
  [
    'one of which the cache keeps no more',
    settled,
    ['info{phase="Succeeded",stage="pseudo-label"} 1', 'mean_iou{stage="pseudo-label"} 0.625'],
  ],
  ['one that failed an hour ago', failed(-60), ['info{phase="Failed",stage="segment"} 1']],
];
for (const [why, facts, expected] of lean) {
  test(`two series at most, so that ten thousand of them are scraped quickly: ${why}`, () => assert.equal(series(facts), expected));
}

const durations = (facts: ExperimentFacts) => series(facts).filter((line) => line.startsWith('stage_duration'));

test('a stage that failed took as long as to its end, and does not go on for ever', () =>
  assert.equal(durations(failed(-5)), ['stage_duration_seconds{stage="classify"} 600', 'stage_duration_seconds{stage="segment"} 300']));

test('of a stage that was stopped there is no end, and it does not go on for ever either', () => {
  const stages = running.status?.stages?.map((stage) => (stage.state === 'Running' ? { ...stage, state: 'Interrupted' as const } : stage));
  const stopped: ExperimentFacts = { ...running, live: new Map(), status: { ...running.status, phase: 'Suspended', stages } };
  assert.equal(durations(stopped), ['stage_duration_seconds{stage="classify"} 600']);
});

const ends = (facts: ExperimentFacts) => series(facts).filter((line) => line.startsWith('end_timestamp'));

test('an experiment that has ended tells when, for an hour; one that goes on tells none', () => {
  const at = (minutes: number) => [`end_timestamp_seconds{} ${NOON / 1000 + 60 * minutes}`];
  assert.equal([ends(failed(-5)), ends(finished(-59))], [at(-5), at(-59)]);
  assert.equal([ends(failed(-60)), ends(running), ends(blocked)], [[], [], []]);
});

test('series go with what they speak of: experiment, stage, class and term', () => {
  const less = { ...LIVE, losses: [{ name: 'scribble', value: 0.5 }], iou: [0.75], classes: ['background'] };
  const before = series(running);
  const after = series({ ...running, live: new Map([['segment', less]]) });
  assert.equal(
    before.filter((line) => !after.includes(line)),
    ['loss{stage="segment",term="lorm"} 0.75', 'iou{stage="segment",class="dog"} 0.25'],
  );
  assert.equal(series(), []);
});

test('experiments are counted by phase, none as 0', () => {
  const text = experimentMetrics([running, blocked, failed(-5), settled], NOON);
  assert.equal(text.match(/^cdsp_operator_experiments.*$/gm), [
    'cdsp_operator_experiments{phase="Pending"} 0',
    'cdsp_operator_experiments{phase="Running"} 2',
    'cdsp_operator_experiments{phase="Suspended"} 0',
    'cdsp_operator_experiments{phase="Succeeded"} 1',
    'cdsp_operator_experiments{phase="Failed"} 1',
  ]);
});

test('an experiment without a status is pending', () => {
  const facts = { namespace: 'lab', name: 'new', status: undefined, live: new Map() };
  assert.equal(series(facts), ['info{phase="Pending",stage=""} 1']);
});

test('a name of the trainer’s choice cannot break out of its label', () => {
  const live = new Map([['segment', { done: 1, total: 2, losses: [{ name: 'a"} 1\n\\', value: 1 }] }]]) as ExperimentFacts['live'];
  assert.ok(series({ ...running, live }).includes('loss{stage="segment",term="a\\"} 1\\n\\\\"} 1'));
});

test('no series comes twice, which Prometheus would refuse', () => {
  const live = new Map([['segment', { ...LIVE, losses: [{ name: 'total', value: 1 }] }]]) as ExperimentFacts['live'];
  const names = series({ ...running, live }, finished(-5)).map((line) => line.slice(0, line.lastIndexOf(' ')));
  const repeated = series({ ...running, live })
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .filter((name, i, all) => all.indexOf(name) !== i);
  assert.ok(names.length > 0);
  assert.equal(repeated, []);
});

test.run();
