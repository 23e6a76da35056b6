import { API_VERSION, Experiment, KIND, STAGES } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { buildRefusal, buildStatus } from '../../operator/controller/build-status.ts';
import { ApiError } from '../../operator/controller/cluster.ts';
import { observedOf, QUEUED } from '../../operator/controller/observe.ts';
import type { StageView } from '../../operator/controller/observe.ts';
import type { Trouble } from '../../operator/controller/observe-pod.ts';
import { referencedIdentities } from '../../operator/controller/references.ts';
import { RefusedDeeds } from '../../operator/controller/refused-deeds.ts';
import type { Concern } from '../../operator/controller/refused-deeds.ts';
import { decide } from '../../operator/plan/decide.ts';
import { planExperiment } from '../../operator/plan/plan.ts';

/** An experiment as GitOps programs see it, and what they have to say of it. */
export interface ObservedExperiment {
  readonly why: string;
  readonly object: unknown;
  /** Argo CD's health. */
  readonly health: 'Progressing' | 'Healthy' | 'Degraded' | 'Suspended';
  /** kstatus: Flux, Helm. It knows no suspension. */
  readonly kstatus: 'InProgress' | 'Current' | 'Failed' | 'Terminating';
  /** What Argo CD shows beside it. */
  readonly message: string;
}

const NOW = '2026-01-01T00:00:00Z';
const COMPLETE: StageView = { state: { kind: 'Complete' }, attempts: 1 };
const RUNNING: StageView = { state: { kind: 'Running', failures: 0, interruptions: 0 }, attempts: 1, job: 'job', hasBegun: true };
const PENDING: StageView = { state: { kind: 'Pending' }, attempts: 0 };
const FAILED: StageView = {
  state: { kind: 'Failed', exitCode: 65, message: 'labels.txt names 21 classes', failures: 1, interruptions: 0, at: 0 },
  attempts: 1,
};
const waiting = (trouble: Trouble): StageView => ({ ...RUNNING, hasBegun: undefined, trouble });

/** What the operator remembers when the API server answers so to the Job, or the claim, of classify. */
async function refusalsOf(error: ApiError): Promise<ReadonlyMap<Concern, Trouble>> {
  const deeds = new RefusedDeeds({ elapsed: () => 0, requeueAfter: () => {}, onError: () => {} });
  const { refusals } = await deeds.carryOut('team-a/voc', '1', [{ id: 'start', concern: 'classify', run: () => Promise.reject(error) }]);
  return refusals;
}

interface Situation {
  /** Of the first stages; the others are pending. */
  readonly views?: readonly StageView[];
  readonly suspend?: boolean;
  readonly refusals?: ReadonlyMap<Concern, Trouble>;
}

/** The status that the operator writes. */
function statusOf({ views = [], suspend = false, refusals = new Map() }: Situation): ExperimentStatus {
  const name = 'voc';
  const parsed = Experiment.parse({ apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: { dataset: { generator: {} }, suspend } });
  const plan = planExperiment(parsed, { trainerVersion: 'trainer:1', identities: referencedIdentities(parsed.spec) });
  const viewOf = new Map(STAGES.map((stage, index) => [stage, views[index] ?? PENDING]));
  return buildStatus({
    experiment: { name, namespace: 'team-a', uid: 'uid-1', generation: 1, spec: parsed.spec },
    storage: undefined,
    trainerImage: 'trainer:1',
    plan,
    views: viewOf,
    decision: decide(plan, observedOf(viewOf), 0),
    refusals,
    live: new Map(),
    previous: undefined,
    now: NOW,
  });
}

const experiment = (fields: { status?: ExperimentStatus; metadata?: object; spec?: object }) => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name: 'voc', namespace: 'team-a', generation: 1, ...fields.metadata },
  spec: { suspend: false, ...fields.spec },
  ...(fields.status === undefined ? {} : { status: fields.status }),
});

const UNSEEN = 'waits for the operator to see the last change';
const SUCCEEDED = statusOf({ views: STAGES.map(() => COMPLETE) });
const HAS_FAILED = statusOf({ views: [FAILED] });

/** What waits for others and goes on without an edit. */
const waits: [why: string, words: string, situation: Situation][] = [
  [
    'its pod cannot be scheduled',
    '0/3 nodes are available',
    { views: [waiting({ condition: 'Scheduled', reason: 'Unschedulable', message: '0/3 nodes are available' })] },
  ],
  [
    'its Job waits in a queue',
    'waits until Kueue admits it',
    { views: [waiting({ condition: 'Scheduled', reason: QUEUED, message: 'waits until Kueue admits it' })] },
  ],
  [
    'its image cannot be pulled',
    'Back-off pulling image',
    { views: [waiting({ condition: 'Started', reason: 'ImagePullBackOff', message: 'Back-off pulling image' })] },
  ],
  [
    'a quota forbids its Job',
    'the API server refuses it: exceeded quota',
    { refusals: await refusalsOf(new ApiError(403, 'Forbidden', 'exceeded quota')) },
  ],
  [
    'a policy refuses its Job',
    'the API server refuses it: ask Ada first',
    { refusals: await refusalsOf(new ApiError(422, 'Invalid', 'ask Ada first')) },
  ],
  [
    'the claim of its predecessor is being deleted',
    'the claim is being deleted',
    { refusals: await refusalsOf(new ApiError(422, 'ClaimEnding', 'the claim is being deleted')) },
  ],
];

export const OBSERVED: readonly ObservedExperiment[] = [
  {
    why: 'fresh, as the API server stores it',
    object: experiment({ status: { observedGeneration: -1 } }),
    health: 'Progressing',
    kstatus: 'InProgress',
    message: UNSEEN,
  },
  ...waits.map(
    ([why, words, situation]): ObservedExperiment => ({
      why,
      object: experiment({ status: statusOf(situation) }),
      health: 'Progressing',
      kstatus: 'InProgress',
      message: `classify does not run: ${words}`,
    }),
  ),
  {
    why: 'its Job is not valid',
    object: experiment({
      status: statusOf({ refusals: await refusalsOf(new ApiError(422, 'Invalid', 'Job is invalid', undefined, ['spec.template'])) }),
    }),
    health: 'Degraded',
    kstatus: 'Failed',
    message: 'classify does not run: the API server refuses it: Job is invalid',
  },
  {
    why: 'running',
    object: experiment({ status: statusOf({ views: [COMPLETE, COMPLETE, RUNNING] }) }),
    health: 'Progressing',
    kstatus: 'InProgress',
    message: 'segment: running',
  },
  {
    why: 'suspended',
    object: experiment({ spec: { suspend: true }, status: statusOf({ suspend: true }) }),
    health: 'Suspended',
    kstatus: 'Current',
    message: 'suspended; spec.suspend: false lets it go on',
  },
  {
    why: 'failed',
    object: experiment({ status: HAS_FAILED }),
    health: 'Degraded',
    kstatus: 'Failed',
    message: 'classify: labels.txt names 21 classes',
  },
  {
    why: 'refused by the operator',
    object: experiment({ status: buildRefusal(1, [{ field: 'spec.image', message: 'is not allowed here' }], undefined, NOW) }),
    health: 'Degraded',
    kstatus: 'Failed',
    message: 'spec.image: is not allowed here',
  },
  {
    why: 'succeeded',
    object: experiment({ status: SUCCEEDED }),
    health: 'Healthy',
    kstatus: 'Current',
    message: 'every stage is complete',
  },
  {
    why: 'edited after its success',
    object: experiment({ metadata: { generation: 2 }, status: SUCCEEDED }),
    health: 'Progressing',
    kstatus: 'InProgress',
    message: UNSEEN,
  },
  {
    why: 'edited after its failure',
    object: experiment({ metadata: { generation: 2 }, status: HAS_FAILED }),
    health: 'Progressing',
    kstatus: 'InProgress',
    message: UNSEEN,
  },
  {
    why: 'being deleted',
    object: experiment({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status: SUCCEEDED }),
    health: 'Progressing',
    kstatus: 'Terminating',
    message: 'is being deleted',
  },
];

/** A list that only an older resource definition lets through: no status at all. */
export const WITHOUT_STATUS = experiment({});
