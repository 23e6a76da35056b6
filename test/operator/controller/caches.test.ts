import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../../operator/api/status.ts';
import { Index, keepExperiment, keepJob, keepPod } from '../../../operator/controller/caches.ts';
import { ANNOTATIONS, LABELS } from '../../../operator/controller/names.ts';
import { experimentMetrics } from '../../../operator/metrics/experiment-metrics.ts';

/** What is told of an experiment that has ended by what the cache keeps of it. */
function metricsOfEnded(status: ExperimentStatus, now: string): string {
  const metadata = { name: 'cats', namespace: 'lab', uid: 'u', generation: 1, resourceVersion: '1' };
  const { spec } = Experiment.parse({
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'cats' },
    spec: { dataset: { generator: {} } },
  });
  const kept = keepExperiment({ apiVersion: API_VERSION, kind: KIND, metadata, spec, status });
  assert.is(kept.spec, undefined, 'as of one that has ended');
  return experimentMetrics([{ namespace: 'lab', name: 'cats', status: kept.status, live: new Map() }], Date.parse(now));
}

test('of an experiment that has ended the mIoU of each stage is told on', () => {
  const completionTime = '2026-01-01T00:00:00Z';
  const stages = [
    { name: 'segment' as const, state: 'Complete' as const, meanIou: 0.5, completionTime },
    { name: 'evaluate' as const, state: 'Complete' as const, meanIou: 0.75, completionTime },
  ];
  const conditions = [{ type: 'Succeeded', status: 'True' as const, reason: 'Succeeded', message: '', lastTransitionTime: completionTime }];
  const summary = { phase: 'Succeeded' as const, stage: 'evaluate' as const, meanIou: 0.75, completionTime };
  const status = { observedGeneration: 1, conditions, ...summary, stages };
  const text = metricsOfEnded(status, completionTime);
  assert.equal(text.match(/^cdsp_experiment_mean_iou.*$/gm), [
    'cdsp_experiment_mean_iou{namespace="lab",experiment="cats",stage="segment"} 0.5',
    'cdsp_experiment_mean_iou{namespace="lab",experiment="cats",stage="evaluate"} 0.75',
  ]);
});

test('of an experiment that has ended it is known when, and how long the stage took that failed', () => {
  const [startTime, completionTime] = ['2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'];
  const status = {
    observedGeneration: 1,
    phase: 'Failed' as const,
    completionTime,
    conditions: [{ type: 'Succeeded', status: 'False' as const, reason: 'BadInput', message: '', lastTransitionTime: completionTime }],
    stages: [{ name: 'classify' as const, state: 'Failed' as const, startTime, completionTime }],
  };
  const text = metricsOfEnded(status, completionTime);
  assert.equal(text.match(/^cdsp_experiment_(end|stage_duration).*$/gm), [
    'cdsp_experiment_stage_duration_seconds{namespace="lab",experiment="cats",stage="classify"} 60',
    `cdsp_experiment_end_timestamp_seconds{namespace="lab",experiment="cats"} ${Date.parse(completionTime) / 1000}`,
  ]);
});

const condition = {
  type: 'Complete',
  status: 'True',
  lastTransitionTime: new Date(0),
  message: 'Reached expected number of succeeded pods',
};
const owners = [{ apiVersion: API_VERSION, kind: KIND, name: 'cats', uid: 'u' }];
const metadata = {
  name: 'cdsp-segment',
  namespace: 'lab',
  uid: 'j',
  resourceVersion: '7',
  creationTimestamp: new Date(0),
  labels: { [LABELS.stage]: 'segment', [LABELS.key]: '0123', [LABELS.queue]: 'gpus', other: 'x' },
  annotations: { [ANNOTATIONS.key]: '0123', [ANNOTATIONS.template]: 't', [ANNOTATIONS.remakesFor]: 'lost' },
  ownerReferences: owners,
  managedFields: [{ manager: 'cdsp-operator' }],
};
const jobSpec = { backoffLimit: 2, suspend: false, ttlSecondsAfterFinished: 60, template: { spec: { containers: [{ name: 'stage' }] } } };
/** As JSON, in which fields without a value are left out. */
const plain = (object: unknown): unknown => JSON.parse(JSON.stringify(object));

test('of a Job that has ended its names, owners, times, counts and end are kept, and what lets it go', () => {
  const status = { conditions: [{ ...condition, type: 'SuccessCriteriaMet' }, condition], startTime: new Date(0), succeeded: 1, ready: 0 };
  assert.equal(plain(keepJob({ metadata, spec: jobSpec, status })), {
    metadata: {
      name: 'cdsp-segment',
      namespace: 'lab',
      uid: 'j',
      creationTimestamp: '1970-01-01T00:00:00.000Z',
      annotations: { [ANNOTATIONS.remakesFor]: 'lost' },
      ownerReferences: owners,
    },
    spec: { ttlSecondsAfterFinished: 60 },
    status: { conditions: [{ type: 'Complete', status: 'True' }], startTime: '1970-01-01T00:00:00.000Z', succeeded: 1 },
  });
});

test('of a Job that has failed its reason is kept', () => {
  const failed = { ...condition, type: 'Failed', reason: 'DeadlineExceeded' };
  const kept = keepJob({ metadata, spec: { ...jobSpec, activeDeadlineSeconds: 5 }, status: { conditions: [failed], failed: 1 } });
  assert.equal(kept.status?.conditions, [failed]);
  assert.is(kept.spec?.activeDeadlineSeconds, 5);
});

test('of a Job that runs the version, queue, place and all that may change are kept, too; never its template', () => {
  const kept = keepJob({ metadata, spec: jobSpec, status: { active: 1 } });
  assert.is(kept.metadata?.resourceVersion, '7');
  assert.equal(kept.metadata?.labels, { [LABELS.queue]: 'gpus' });
  assert.equal(kept.metadata?.annotations, { [ANNOTATIONS.template]: 't', [ANNOTATIONS.remakesFor]: 'lost' });
  assert.equal(plain(kept.spec), { suspend: false, backoffLimit: 2, ttlSecondsAfterFinished: 60 });
});

const podOwners = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'cdsp-segment', uid: 'j', controller: true, blockOwnerDeletion: true }];
const container = {
  name: 'stage',
  image: 'trainer',
  imageID: 'trainer@sha256:1',
  ready: false,
  restartCount: 0,
  containerID: 'containerd://2',
};
const podSpec = { nodeName: 'node-1', containers: [{ name: 'stage' }] };
const podMetadata = { ...metadata, name: 'cdsp-segment-x', uid: 'p', ownerReferences: podOwners };

test('of a pod that has ended its Job, its node, its image and its last word are kept', () => {
  const terminated = { exitCode: 0, reason: 'Completed', message: '{"result":{}}', finishedAt: new Date(0), containerID: 'containerd://2' };
  const sidecar = { ...container, name: 'sidecar' };
  const status = {
    phase: 'Succeeded',
    podIP: '10.0.0.1',
    conditions: [condition],
    containerStatuses: [sidecar, { ...container, state: { terminated } }],
  };
  assert.equal(plain(keepPod({ metadata: podMetadata, spec: podSpec, status })), {
    metadata: {
      name: 'cdsp-segment-x',
      namespace: 'lab',
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'cdsp-segment', uid: 'j' }],
      creationTimestamp: '1970-01-01T00:00:00.000Z',
    },
    spec: { nodeName: 'node-1' },
    status: {
      phase: 'Succeeded',
      containerStatuses: [
        {
          name: 'stage',
          imageID: 'trainer@sha256:1',
          state: { terminated: { exitCode: 0, reason: 'Completed', message: '{"result":{}}', finishedAt: '1970-01-01T00:00:00.000Z' } },
        },
      ],
    },
  });
});

test('of a pod that runs its address and whose progress it tells are kept, too', () => {
  const state = { running: { startedAt: new Date(0) } };
  const kept = keepPod({
    metadata: podMetadata,
    spec: podSpec,
    status: { phase: 'Running', podIP: '10.0.0.1', containerStatuses: [{ ...container, state }] },
  });
  assert.is(kept.status?.podIP, '10.0.0.1');
  assert.is(kept.metadata?.uid, 'p');
  assert.equal(kept.metadata?.labels, { [LABELS.stage]: 'segment', [LABELS.key]: '0123' });
  assert.ok(kept.status?.containerStatuses?.[0].state?.running);
});

test('an index tells the members of a key, in the order in which they came, whether there is none, one or more', () => {
  const index = new Index();
  assert.equal(index.members('job'), []);
  index.add('job', 'a');
  index.add('job', 'a');
  assert.equal(index.members('job'), ['a']);
  index.add('job', 'b');
  index.remove('job', 'c');
  assert.equal(index.members('job'), ['a', 'b']);
  index.remove('job', 'a');
  index.remove('job', 'a');
  assert.equal(index.members('job'), ['b']);
  index.remove('job', 'b');
  assert.equal(index.members('job'), []);
  index.add('job', 'c');
  index.remove('job', 'b');
  assert.equal(index.members('job'), ['c']);
  index.remove('job', 'c');
  assert.equal(index.members('job'), []);
});

test.run();
