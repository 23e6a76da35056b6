import type { ExperimentStatus } from '../../../../operator/api/status.ts';
import { DIGEST, manifest } from '../../api/manifests.ts';

export const IMAGE = `registry.example.org/cdsp/trainer@${DIGEST}`;

/** The status of a run that has succeeded. */
export const SUCCEEDED: ExperimentStatus = {
  observedGeneration: 3,
  phase: 'Succeeded',
  conditions: [
    {
      type: 'Succeeded',
      status: 'True',
      reason: 'Succeeded',
      message: 'every stage is complete',
      lastTransitionTime: '2026-03-01T10:00:00Z',
      observedGeneration: 3,
    },
  ],
  results: {
    meanIou: 0.61234,
    pixelAccuracy: 0.9,
    pseudoLabelMeanIou: 0.55,
    classes: [{ name: 'background', iou: 0.91 }, { name: 'cat\n# not: a comment', iou: 0.32 }, { name: 'dog' }],
  },
  provenance: { image: IMAGE, datasetDigest: DIGEST, seed: 7 },
  storage: { claimName: 'cdsp-cats', size: '20Gi', retention: 'Retain' },
  stages: [
    { name: 'classify', state: 'Complete', key: 'a'.repeat(64) },
    { name: 'segment', state: 'Cached', key: 'b'.repeat(64) },
  ],
};

/** An experiment as `kubectl get -o yaml` gives it after its run. */
export function finished(spec: Record<string, unknown> = {}, status: Partial<ExperimentStatus> = {}) {
  return {
    ...manifest({ seed: 7, ...spec }),
    metadata: { name: 'cats', namespace: 'lab', uid: 'uid-1', generation: 3, resourceVersion: '1', managedFields: [] },
    status: { ...SUCCEEDED, ...status },
  };
}
