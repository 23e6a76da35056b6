import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import { keepExperiment } from '../../../operator/controller/caches.ts';
import { experimentMetrics } from '../../../operator/metrics/experiment-metrics.ts';

test('of an experiment that has ended the mIoU of each stage is told on', () => {
  const metadata = { name: 'cats', namespace: 'lab', uid: 'u', generation: 1, resourceVersion: '1' };
  const { spec } = Experiment.parse({
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'cats' },
    spec: { dataset: { generator: {} } },
  });
  const completionTime = '2026-01-01T00:00:00Z';
  const stages = [
    { name: 'segment' as const, state: 'Complete' as const, meanIou: 0.5, completionTime },
    { name: 'evaluate' as const, state: 'Complete' as const, meanIou: 0.75, completionTime },
  ];
  const conditions = [{ type: 'Succeeded', status: 'True' as const, reason: 'Succeeded', message: '', lastTransitionTime: completionTime }];
  const status = { observedGeneration: 1, conditions, phase: 'Succeeded' as const, stage: 'evaluate' as const, meanIou: 0.75, stages };
  const kept = keepExperiment({ apiVersion: API_VERSION, kind: KIND, metadata, spec, status });
  assert.is(kept.spec, undefined, 'as of one that has ended');
  const facts = { namespace: 'lab', name: 'cats', status: kept.status, live: new Map() };
  const text = experimentMetrics([facts], Date.parse(completionTime));
  assert.equal(text.match(/^cdsp_experiment_mean_iou.*$/gm), [
    'cdsp_experiment_mean_iou{namespace="lab",experiment="cats",stage="segment"} 0.5',
    'cdsp_experiment_mean_iou{namespace="lab",experiment="cats",stage="evaluate"} 0.75',
  ]);
});

test.run();
