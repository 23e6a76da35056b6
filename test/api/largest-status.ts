import { STAGES } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';

const TIME = '2026-01-01T00:00:00Z';
const LOSS_NAMES = Array.from({ length: 16 }, (_, index) => `term-${index}`.padEnd(63, 'x'));

/** A name of 63 letters of three bytes each. */
const className = (index: number): string => `${'類'.repeat(60)}${String(index).padStart(3, '0')}`;

function stage(name: (typeof STAGES)[number]): NonNullable<ExperimentStatus['stages']>[number] {
  return {
    name,
    state: 'Failed',
    key: '0a'.repeat(32),
    reason: 'r'.repeat(256),
    message: 'm'.repeat(4096),
    failure: { exitCode: 65, message: 'm'.repeat(4096), file: 'f'.repeat(4096), field: 'spec.dataset.folder.path', failures: 101 },
    progress: 100,
    loss: 0.123456789,
    losses: LOSS_NAMES.map((term) => ({ name: term, value: 0.123456789 })),
    meanIou: 0.987654321,
    attempts: 101,
    job: `cdsp-${name}`.padEnd(63, 'j'),
    pod: `cdsp-${name}`.padEnd(253, 'p'),
    node: 'n'.repeat(253),
    startTime: TIME,
    completionTime: TIME,
  };
}

/** A status in which everything that has a limit reaches it. */
export function largestStatus(): ExperimentStatus {
  return {
    observedGeneration: 2 ** 53 - 1,
    phase: 'Succeeded',
    stage: 'evaluate',
    progress: 100,
    loss: 0.123456789,
    meanIou: 0.987654321,
    completionTime: TIME,
    conditions: Array.from({ length: 16 }, (_, index) => ({
      type: `Type${index}`.padEnd(316, 't'),
      status: 'Unknown',
      reason: 'R'.repeat(1024),
      message: 'm'.repeat(32768),
      lastTransitionTime: TIME,
      observedGeneration: 2 ** 53 - 1,
    })),
    results: {
      meanIou: 0.987654321,
      pixelAccuracy: 0.987654321,
      pseudoLabelMeanIou: 0.987654321,
      classes: Array.from({ length: 255 }, (_, index) => ({ name: className(index), iou: index / 255 })),
    },
    provenance: { image: 'i'.repeat(2048), datasetDigest: `sha256:${'0a'.repeat(32)}`, seed: 2147483647 },
    storage: { claimName: 'c'.repeat(253), size: '9'.repeat(64), retention: 'Retain' },
    stages: STAGES.map(stage),
  };
}
