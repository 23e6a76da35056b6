import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND, STAGES } from '../../../operator/api/experiment.ts';
import type { ExperimentInput } from '../../../operator/api/experiment.ts';
import { StageInput } from '../../../operator/api/stage-contract.ts';
import { buildClaim } from '../../../operator/controller/build-claim.ts';
import { buildJob } from '../../../operator/controller/build-job.ts';
import type { StagePodSettings } from '../../../operator/controller/build-pod.ts';
import { claimDigest, claimName } from '../../../operator/controller/names.ts';
import { referencedIdentities } from '../../../operator/controller/references.ts';
import { planExperiment } from '../../../operator/plan/plan.ts';

function makeJob(
  stageName: string,
  settings: Partial<ExperimentInput['spec']> = {},
  claim = 'claim',
  base = {},
  more: Partial<StagePodSettings> = {},
) {
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
  const image = spec.image ?? 'image@sha256:1';
  const config: StagePodSettings = {
    trainerImage: 'image@sha256:1',
    imagePullSecrets: [],
    stageUser: 'Fixed',
    placement: { memory: '1Gi', ...base },
    ...more,
  };
  return { job: buildJob(owner, plan, stage, { claim, image, settings: config }), stage, owner };
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

test('a stage is not told of its placement, which the pod is made of', () => {
  const { job } = makeJob('classify', { placement: { default: { nodeSelector: { zone: 'a' } } } });
  const text = podOf(job).containers[0].env?.find(({ name }) => name === 'CDSP_STAGE')?.value ?? '';
  assert.not.match(text, /placement|zone/);
  assert.equal(podOf(job).nodeSelector, { zone: 'a' });
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

test('where the cluster assigns users, a pod names none, and is in all else as it is with a fixed one', () => {
  const build = (stageUser?: 'Fixed' | 'Assigned') => podOf(makeJob('classify', {}, 'claim', {}, { stageUser }).job);
  const ids = { runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532 };
  const { securityContext, ...assigned } = build('Assigned');
  assert.equal(securityContext, {
    runAsNonRoot: true,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  });
  assert.equal({ ...assigned, securityContext: { ...securityContext, ...ids } }, build('Fixed'));
  assert.equal(build('Fixed'), build());
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
    ['FailJob', [65, 66, 69]],
    ['Ignore', ['DisruptionTarget']],
    ['Ignore', [75, 143]],
  ]);
});

test('the operator’s claim goes with its experiment only if the artifacts are not to be retained', () => {
  const claimOf = (retention: 'Delete' | 'Retain') => {
    const { owner } = makeJob('classify', { storage: { retention, size: '5Gi' } });
    return buildClaim(owner, claimName(owner));
  };
  assert.equal(
    claimOf('Delete').metadata?.ownerReferences?.map(({ uid }) => uid),
    ['uid-1'],
  );
  assert.equal(claimOf('Retain').metadata?.ownerReferences, []);
  assert.is(claimOf('Retain').spec?.resources?.requests?.storage, '5Gi');
});

test('an administrator’s placement counts where the experiment says nothing', () => {
  const pod = podOf(makeJob('classify', { placement: { default: { cpu: '2' } } }, 'claim', { cpu: '1', schedulerName: 'volcano' }).job);
  assert.equal(pod.containers[0].resources?.requests, { cpu: '2', memory: '1Gi' });
  assert.is(pod.schedulerName, 'volcano');
});

test('data, labels and weights are mounted read-only from where they lie, and the stage is told the paths that its pod sees', () => {
  const { job } = makeJob('segment', {
    dataset: { folder: { path: 'voc', image: 'registry.example.org/voc:1' } },
    pseudoLabels: { source: 'External', external: { path: './sam', claimName: 'labels' } },
    model: { weights: 'r50.pth' },
  });
  const pod = podOf(job);
  assert.equal(
    pod.volumes?.filter(({ name }) => name !== 'tmp'),
    [
      { name: 'storage', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'data', image: { reference: 'registry.example.org/voc:1', pullPolicy: 'IfNotPresent' } },
      { name: 'labels', persistentVolumeClaim: { claimName: 'labels', readOnly: true } },
    ],
  );
  const mounts = pod.containers[0].volumeMounts?.map(({ mountPath, readOnly = false }) => [mountPath, readOnly]);
  assert.equal(mounts, [
    ['/cdsp', false],
    ['/tmp', false],
    ['/data', true],
    ['/labels', true],
  ]);
  const { spec } = StageInput.parse(JSON.parse(pod.containers[0].env?.[0].value ?? ''));
  assert.equal(
    [spec.dataset.folder?.path, spec.pseudoLabels.external?.path, spec.model.weights],
    ['/data/voc', '/labels/sam', '/cdsp/r50.pth'],
  );
});

test('a claim that serves for several things is one volume of the pod, which only the artifacts are written to', () => {
  const volumesOf = (claimName: string) => {
    const pod = podOf(
      makeJob('segment', {
        dataset: { folder: { path: 'voc', claimName } },
        model: { weights: 'r50.pth', weightsFrom: { claimName } },
      }).job,
    );
    const mounts = pod.containers[0].volumeMounts?.map(({ name, mountPath, readOnly = false }) => [name, mountPath, readOnly]);
    return {
      volumes: pod.volumes?.flatMap(({ name, persistentVolumeClaim }) => (persistentVolumeClaim ? [[name, persistentVolumeClaim]] : [])),
      mounts,
    };
  };
  assert.equal(volumesOf('voc'), {
    volumes: [
      ['storage', { claimName: 'claim' }],
      ['data', { claimName: 'voc', readOnly: true }],
    ],
    mounts: [
      ['storage', '/cdsp', false],
      ['tmp', '/tmp', false],
      ['data', '/data', true],
      ['data', '/weights', true],
    ],
  });
  assert.equal(volumesOf('claim'), {
    volumes: [['storage', { claimName: 'claim' }]],
    mounts: [
      ['storage', '/cdsp', false],
      ['tmp', '/tmp', false],
      ['storage', '/data', true],
      ['storage', '/weights', true],
    ],
  });
});

test('shards are an Indexed Job of which one success is enough, on one node unless the claim can be mounted on many', () => {
  const placement = { pseudoLabel: { shards: 4 } };
  const { job } = makeJob('pseudo-label', { placement });
  const { completionMode, completions, parallelism, successPolicy } = job.spec ?? {};
  assert.equal([completionMode, completions, parallelism, successPolicy?.rules[0].succeededCount], ['Indexed', 4, 4, 1]);
  const terms = podOf(job).affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  assert.is(terms?.[0].topologyKey, 'kubernetes.io/hostname');
  assert.equal(terms?.[0].labelSelector?.matchLabels, { 'cdsp.dev/claim': job.spec?.template.metadata?.labels?.['cdsp.dev/claim'] });
  const many = makeJob('pseudo-label', { placement, storage: { accessModes: ['ReadWriteMany'] } });
  assert.is(podOf(many.job).affinity, undefined);
});

const CLAIM_TERM = (claim: string) => ({
  topologyKey: 'kubernetes.io/hostname',
  labelSelector: { matchLabels: { 'cdsp.dev/claim': claimDigest(claim) } },
});
const termsOf = ({ job }: ReturnType<typeof makeJob>) => podOf(job).affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution;

test('the experiment that a claim was made for keeps to its node as do those that name it, unless many nodes can mount it', () => {
  const owner = makeJob('segment', {}, 'cdsp-cats');
  const guest = makeJob('segment', { storage: { claimName: 'cdsp-cats' } }, 'cdsp-cats');
  assert.equal([termsOf(owner), termsOf(guest)], [[CLAIM_TERM('cdsp-cats')], [CLAIM_TERM('cdsp-cats')]]);
  const labels = owner.job.spec?.template.metadata?.labels ?? {};
  assert.is(labels['cdsp.dev/claim'], claimDigest('cdsp-cats'), 'the first pod matches itself');
  assert.is(termsOf(makeJob('segment', { storage: { accessModes: ['ReadWriteMany'] } })), undefined);
});

test('the example whose stages run each where it fits best keeps none of them to a node', () => {
  const { spec } = load(readFileSync('examples/cluster/gpu.yaml', 'utf8')) as { spec: ExperimentInput['spec'] };
  for (const stage of STAGES) assert.is(podOf(makeJob(stage, spec).job).affinity, undefined);
});

test('a lone pod whose experiment asks for the company of other pods gets no second required term, which no pod could meet', () => {
  const own = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'cache' } } };
  const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [own] } };
  assert.equal(termsOf(makeJob('segment', { placement: { default: { affinity } } })), [own]);
  const preferred = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: own }] } };
  assert.equal(termsOf(makeJob('segment', { placement: { default: { affinity: preferred } } })), [CLAIM_TERM('claim')]);
});

test('a Job in a queue waits suspended, with Kueue’s label', () => {
  const { job } = makeJob('classify', { queueName: 'lab' });
  assert.is(job.spec?.suspend, true);
  assert.is(job.metadata?.labels?.['kueue.x-k8s.io/queue-name'], 'lab');
});

test('deadline, time to live, image and resource claims reach the Job', () => {
  const placement = {
    classify: { deadlineSeconds: 60, resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'a100', request: 'one' }] },
  };
  const { job } = makeJob('classify', { placement, ttlSecondsAfterFinished: 5, image: 'registry.example.org/own:2' });
  // That it may go is said when its end is told.
  assert.equal([job.spec?.activeDeadlineSeconds, job.spec?.ttlSecondsAfterFinished], [60, undefined]);
  assert.equal(podOf(job).resourceClaims, [{ name: 'gpu', resourceClaimTemplateName: 'a100' }]);
  assert.equal(podOf(job).containers[0].resources?.claims, [{ name: 'gpu', request: 'one' }]);
  assert.is(podOf(job).containers[0].image, 'registry.example.org/own:2');
});

test('what a pod is made of is told by the template’s digest: placement changes it, another experiment’s retries do not', () => {
  const digestOf = (settings: Partial<ExperimentInput['spec']>) =>
    makeJob('segment', settings).job.metadata?.annotations?.['cdsp.dev/template'];
  assert.is(digestOf({}), digestOf({ retries: 7, evaluation: { flips: true } }));
  assert.is.not(digestOf({}), digestOf({ placement: { segment: { gpus: 1 } } }));
});

test.run();
