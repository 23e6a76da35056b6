import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import type { ExperimentInput } from '../../../operator/api/experiment.ts';
import { StageInput } from '../../../operator/api/stage-contract.ts';
import { buildClaim, buildJob } from '../../../operator/controller/build-job.ts';
import { claimName } from '../../../operator/controller/names.ts';
import { referencedIdentities } from '../../../operator/controller/references.ts';
import { planExperiment } from '../../../operator/plan/plan.ts';

function makeJob(stageName: string, settings: Partial<ExperimentInput['spec']> = {}, claim = 'claim') {
  const experiment = Experiment.parse({
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'cats' },
    spec: { dataset: { generator: {} }, ...settings },
  });
  const { spec } = experiment;
  const plan = planExperiment(experiment, { trainerVersion: 'image@sha256:1', identities: referencedIdentities(spec) });
  const stage = plan.stages.find(({ name }) => name === stageName);
  assert.ok(stage);
  const owner = { name: 'cats', namespace: 'lab', uid: 'uid-1', generation: 1, spec };
  return { job: buildJob(owner, plan, stage, { claim, settings: { trainerImage: 'image@sha256:1' } }), stage, owner };
}
const podOf = (job: ReturnType<typeof makeJob>['job']) => {
  const spec = job.spec?.template.spec;
  assert.ok(spec);
  return spec;
};

test('the same stage on the same claim is always the same Job; on another claim it is another', () => {
  const names = [makeJob('segment'), makeJob('segment'), makeJob('segment', {}, 'other'), makeJob('segment', { seed: 1 })].map(
    ({ job }) => job.metadata?.name ?? '',
  );
  assert.is(names[0], names[1]);
  assert.is(new Set(names).size, 3);
  for (const name of names) assert.ok(name.length <= 63, 'a Job is named on its pods’ labels');
});

test('a stage is told where its own and its upstream artifacts are on the claim', () => {
  const { job, stage } = makeJob('evaluate');
  const text = podOf(job).containers[0].env?.find(({ name }) => name === 'CDSP_STAGE')?.value;
  const input = StageInput.parse(JSON.parse(text ?? ''));
  assert.is(input.output, `/cdsp/stages/evaluate/${stage.key}`);
  assert.match(input.upstream.segment ?? '', /^\/cdsp\/stages\/segment\/[0-9a-f]{64}$/);
});

test('whatever the experiment says, a stage has no token, no privilege and a root that cannot be written to', () => {
  const pod = podOf(makeJob('classify').job);
  assert.is(pod.automountServiceAccountToken, false);
  assert.is(pod.securityContext?.runAsNonRoot, true);
  assert.is(pod.securityContext?.seccompProfile?.type, 'RuntimeDefault');
  assert.equal(pod.containers[0].securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  assert.ok(pod.volumes?.every(({ hostPath }) => hostPath === undefined));
});

test('GPUs are limits of their resource; a stage’s own placement wins over the default', () => {
  const placement = {
    default: { gpus: 1, memory: '8Gi', nodeSelector: { pool: 'gpu' } },
    segment: { gpus: 2, gpuResource: 'amd.com/gpu' },
  };
  const [classify, segment] = ['classify', 'segment'].map((name) => podOf(makeJob(name, { placement }).job));
  assert.equal(classify.containers[0].resources?.limits, { memory: '8Gi', 'nvidia.com/gpu': '1' });
  assert.equal(segment.containers[0].resources?.limits, { memory: '8Gi', 'amd.com/gpu': '2' });
  assert.equal(segment.nodeSelector, { pool: 'gpu' });
});

test('bad input fails the Job at once; disruptions and stops with a checkpoint do not count', () => {
  const { job } = makeJob('classify', { retries: 4 });
  assert.is(job.spec?.backoffLimit, 4);
  const rules = job.spec?.podFailurePolicy?.rules.map(({ action, onExitCodes, onPodConditions }) => [
    action,
    onExitCodes?.values ?? onPodConditions?.map(({ type }) => type),
  ]);
  assert.equal(rules, [
    ['FailJob', [65, 69]],
    ['Ignore', ['DisruptionTarget']],
    ['Ignore', [75]],
  ]);
});

test('the operator’s claim goes with its experiment only if the artifacts are not to be retained', () => {
  const claimOf = (retention: 'Delete' | 'Retain') => {
    const { owner } = makeJob('classify', { storage: { retention, size: '5Gi' } });
    return buildClaim(owner, claimName(owner));
  };
  assert.equal(
    claimOf('Delete').metadata.ownerReferences?.map(({ uid }) => uid),
    ['uid-1'],
  );
  assert.is(claimOf('Retain').metadata.ownerReferences, undefined);
  assert.is(claimOf('Retain').spec.resources.requests.storage, '5Gi');
});

test.run();
