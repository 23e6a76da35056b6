import { API_VERSION, KIND } from '../../../operator/api/experiment.ts';

export const DIGEST = `sha256:${'0a'.repeat(32)}`;

/** An experiment as a person would write it, around the given spec. */
export function manifest(spec: Record<string, unknown>): Record<string, unknown> {
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name: 'test' }, spec: { dataset: { generator: {} }, ...spec } };
}

const placed = (fields: Record<string, unknown>) => manifest({ placement: { default: fields } });
const nodesWith = (term: object) => ({ nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } });
const nearPods = (term: object) => ({
  podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', ...term }] },
});
const NEAR_PODS = 'spec.placement.default.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]';
const spread = (fields: object) => ({
  maxSkew: 1,
  topologyKey: 'topology.kubernetes.io/zone',
  whenUnsatisfiable: 'ScheduleAnyway',
  ...fields,
});

const termsOff = (names: string[]) => Object.fromEntries(names.map((name) => [name, { enabled: false }]));
const LITE = { backbone: 'efficientnet-lite0' };
const FROZEN = { freezeBatchNorm: true };

/** Manifests that are in order: [why, manifest]. */
export const VALID: [why: string, manifest: Record<string, unknown>][] = [
  ['the least that is possible', manifest({})],
  ['a folder', manifest({ dataset: { folder: { path: 'voc' }, classes: ['background', 'cat'], digest: DIGEST } })],
  ['an empty mapping for everything', manifest({ model: {}, classify: {}, pseudoLabels: {}, segment: {}, losses: {}, placement: {} })],
  ['a ramp of its own', manifest({ losses: { lorm: { ramp: { start: 0.1, end: 0.2 } }, scribble: { ramp: { end: 0.5 } } } })],
  ['no ramp', manifest({ losses: { lorm: { ramp: {} } } })],
  ['null in place of a section', manifest({ segment: null, losses: { classDistance: null, lorm: { ramp: null } } })],
  ['null in place of a value', manifest({ seed: null, model: { outputStride: null, weights: null }, pseudoLabels: { scales: null } })],
  ['external pseudo-labels', manifest({ pseudoLabels: { source: 'External', external: { path: 'labels' } } })],
  ['scribbles only', manifest({ losses: termsOff(['pseudoLabel', 'classDistance', 'lorm']) })],
  ['a threshold given', manifest({ pseudoLabels: { backgroundThreshold: 0.3, refinement: { method: 'None' } } })],
  ['output stride 16', manifest({ model: { backbone: 'resnet101', segmentor: 'deeplabv3plus', outputStride: 16, weights: 'r101.pth' } })],
  ['a narrow head', manifest({ model: { segmentor: 'deeplabv3plus', headChannels: 64 } })],
  ['ImageNet weights', manifest({ model: { backbone: 'efficientnet-lite0', weights: 'ImageNet' } })],
  ['no weights', manifest({ model: { weights: 'None' } })],
  ['frozen batch norm with the built-in weights', manifest({ model: LITE, classify: FROZEN, segment: FROZEN })],
  ['frozen batch norm with a weights file', manifest({ model: { weights: 'r50.safetensors' }, classify: FROZEN, segment: FROZEN })],
  [
    'frozen batch norm of a classifier that is not trained: external labels',
    manifest({ classify: FROZEN, pseudoLabels: { source: 'External', external: { path: 'labels' } } }),
  ],
  [
    'frozen batch norm of a classifier that is not trained: no labels',
    manifest({ classify: FROZEN, losses: { ...termsOff(['pseudoLabel', 'classDistance']), lorm: { weight: 0 } } }),
  ],
  ['as many epochs of warm-up as epochs', manifest({ segment: { epochs: 3, warmupEpochs: 3 } })],
  [
    'placement',
    manifest({
      placement: {
        default: { gpus: 1, nodeSelector: { pool: 'gpu' }, tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }] },
        evaluate: { gpus: 0 },
      },
    }),
  ],
  [
    'everything about scheduling',
    manifest({
      placement: {
        default: {
          gpus: 1,
          gpuResource: 'nvidia.com/mig-1g.5gb',
          cpu: '500m',
          memory: '1.5Gi',
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'In', values: ['a100', 'h100'] }] }],
              },
            },
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 5, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { a: 'b' } } } },
              ],
            },
          },
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' }],
          priorityClassName: 'batch',
          runtimeClassName: 'nvidia',
          schedulerName: 'volcano',
          deadlineSeconds: 3600,
        },
        segment: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'one-gpu', request: 'gpu' }], gpus: 0 },
        pseudoLabel: { shards: 4 },
      },
      queueName: 'lab',
      image: `registry.example.org/lab/trainer@${DIGEST}`,
      ttlSecondsAfterFinished: 3600,
    }),
  ],
  ['every taint tolerated', placed({ tolerations: [{ operator: 'Exists' }, { key: 'a', effect: 'NoExecute', tolerationSeconds: 60 }] })],
  [
    'a toleration of an empty value',
    placed({
      tolerations: [
        { key: 'a', operator: 'Exists', value: '' },
        { key: 'a/b', value: '' },
      ],
    }),
  ],
  [
    'nodes with more than two GPUs, or of a name',
    placed({
      affinity: nodesWith({
        matchExpressions: [{ key: 'example.org/gpus', operator: 'Gt', values: ['2'] }],
        matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1.example.org'] }],
      }),
    }),
  ],
  [
    'pods of the same team',
    placed({
      affinity: nearPods({ labelSelector: { matchLabels: { a: 'b' } }, matchLabelKeys: ['team'], mismatchLabelKeys: ['a'] }),
      topologySpreadConstraints: [spread({ matchLabelKeys: ['team'] }), spread({ whenUnsatisfiable: 'DoNotSchedule', minDomains: 2 })],
    }),
  ],
  [
    'a shard of a claim that serves one pod',
    manifest({ storage: { accessModes: ['ReadWriteOncePod'] }, placement: { evaluate: { shards: 1 } } }),
  ],
  ['the longest name', { ...manifest({}), metadata: { name: 'a'.repeat(52) } }],
  ['null among labels', manifest({ placement: { default: { nodeSelector: { a: null, b: 'c' } } } })],
  ['class names beyond 16 bits', manifest({ dataset: { folder: { path: 'voc' }, classes: ['🐈'.repeat(63), '犬'] } })],
  ['the largest seed and the smallest weights', manifest({ seed: 2147483647, losses: { lorm: { weight: 5e-324 } } })],
  ['a fraction of a byte', manifest({ placement: { default: { memory: '1.5e9', cpu: '0' } }, storage: { size: '5000000000500m' } })],
  ['the least memory and the smallest claim', manifest({ placement: { default: { memory: '64Mi' } }, storage: { size: '1Mi' } })],
  ['no limit of memory', manifest({ placement: { default: { memory: '4Gi' }, evaluate: { memory: '0' } } })],
  ['memory in bytes', manifest({ placement: { default: { memory: '17179869184' } } })],
  ['data on a claim', manifest({ dataset: { folder: { path: 'voc', claimName: 'data' } }, storage: { claimName: 'results' } })],
  [
    'data in an image, weights on a claim',
    manifest({
      dataset: { folder: { path: '.', image: `registry.example.org/voc@${DIGEST}` } },
      model: { weights: 'r50.pth', weightsFrom: { claimName: 'weights' } },
    }),
  ],
];

/** Manifests that break one rule: [why, manifest, field, message]. */
export const AGAINST_RULES: [why: string, manifest: Record<string, unknown>, field: string, message: RegExp][] = [
  ['no data', manifest({ dataset: {} }), 'spec.dataset', /exactly one of folder and generator/],
  ['folder and generator', manifest({ dataset: { folder: { path: 'x' }, generator: {} } }), 'spec.dataset', /exactly one/],
  ['class names for the generator', manifest({ dataset: { generator: {}, classes: ['a', 'b'] } }), 'spec.dataset', /classes/],
  [
    'a class named twice',
    manifest({ dataset: { folder: { path: 'x' }, classes: ['background', 'cat', 'cat'] } }),
    'spec.dataset.classes',
    /differ/,
  ],
  ['external labels without a folder', manifest({ pseudoLabels: { source: 'External' } }), 'spec.pseudoLabels', /external/],
  ['a folder of labels that is not used', manifest({ pseudoLabels: { external: { path: 'x' } } }), 'spec.pseudoLabels', /external/],
  ['a scale given twice', manifest({ pseudoLabels: { scales: [1, 2, 1] } }), 'spec.pseudoLabels.scales', /differ/],
  ['a scale of the evaluation given twice', manifest({ evaluation: { scales: [0.5, 0.5] } }), 'spec.evaluation.scales', /differ/],
  [
    'a candidate given twice',
    manifest({ pseudoLabels: { thresholdCandidates: [0.3, 0.3] } }),
    'spec.pseudoLabels.thresholdCandidates',
    /differ/,
  ],
  [
    'a dilation given twice',
    manifest({ pseudoLabels: { refinement: { dilations: [4, 4] } } }),
    'spec.pseudoLabels.refinement.dilations',
    /differ/,
  ],
  [
    'every term switched off',
    manifest({ losses: termsOff(['scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm']) }),
    'spec.losses',
    /at least one term/,
  ],
  [
    'the only term with weight 0',
    manifest({ losses: { ...termsOff(['pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm']), scribble: { weight: 0 } } }),
    'spec.losses',
    /at least one term/,
  ],
  [
    'a ramp that ends before it starts',
    manifest({ losses: { lorm: { ramp: { start: 0.5, end: 0.4 } } } }),
    'spec.losses.lorm.ramp',
    /start/,
  ],
  ['only the start of a ramp', manifest({ losses: { scribble: { ramp: { start: 0.5 } } } }), 'spec.losses.scribble.ramp', /give both/],
  [
    'scales the wrong way round',
    manifest({ segment: { augmentation: { scaleMin: 3 } } }),
    'spec.segment.augmentation',
    /scaleMin must not be greater/,
  ],
  [
    'a warm-up longer than the training',
    manifest({ classify: { epochs: 2, warmupEpochs: 2.5 } }),
    'spec.classify',
    /^warmupEpochs must not be greater than epochs$/,
  ],
  [
    'a training shorter than the warm-up that is the default',
    manifest({ segment: { epochs: 5 } }),
    'spec.segment',
    /^warmupEpochs is 10, its default, and must not be greater than epochs: set it, too$/,
  ],
  [
    'a warm-up longer than the training that is the default',
    manifest({ segment: { warmupEpochs: 60 } }),
    'spec.segment',
    /^warmupEpochs must not be greater than epochs, which is 50, its default: set it, too$/,
  ],
  [
    'the same of the classifier',
    manifest({ classify: { warmupEpochs: 11 } }),
    'spec.classify',
    /^warmupEpochs must not be greater than epochs, which is 10, its default: set it, too$/,
  ],
  [
    'a warm-up longer than the training, both given',
    manifest({ segment: { epochs: 3, warmupEpochs: 4 } }),
    'spec.segment',
    /must not be greater than epochs$/,
  ],
  ['a batch of one image for the segmentor', manifest({ segment: { batchSize: 1 } }), 'spec.segment.batchSize', /at least 2/],
  ['an output stride that no network has', manifest({ model: { outputStride: 32 } }), 'spec.model.outputStride', /8 or 16/],
  [
    'weights that are not built in',
    manifest({ model: { backbone: 'resnet50', weights: 'ImageNet' } }),
    'spec.model',
    /efficientnet-lite0 only/,
  ],
  [
    'channels for a head that has none to choose',
    manifest({ model: { headChannels: 64 } }),
    'spec.model',
    /set segmentor to deeplabv3plus/,
  ],
  [
    'frozen batch norm of a backbone from scratch',
    manifest({ model: { ...LITE, weights: 'None' }, segment: FROZEN }),
    'spec.segment.freezeBatchNorm',
    /name its weights in spec\.model\.weights, or set this to false/,
  ],
  [
    'the same where no weights are built in for the backbone',
    manifest({ segment: FROZEN, pseudoLabels: { source: 'External', external: { path: 'labels' } } }),
    'spec.segment.freezeBatchNorm',
    /no batch-norm statistics to keep/,
  ],
  [
    'the same of a classifier of which one term alone needs labels',
    manifest({ classify: FROZEN, losses: termsOff(['pseudoLabel', 'classDistance']) }),
    'spec.classify.freezeBatchNorm',
    /no batch-norm statistics to keep/,
  ],
  [
    'a folder on a claim and in an image',
    manifest({ dataset: { folder: { path: 'voc', claimName: 'data', image: 'registry.example.org/voc:1' } } }),
    'spec.dataset.folder',
    /exclude each other/,
  ],
  [
    'ReadWriteOncePod beside another access mode',
    manifest({ storage: { accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] } }),
    'spec.storage.accessModes',
    /excludes the other/,
  ],
  [
    'a resource claim without its source',
    manifest({ placement: { segment: { resourceClaims: [{ name: 'gpu' }] } } }),
    'spec.placement.segment.resourceClaims[0]',
    /exactly one of resourceClaimName/,
  ],
  [
    'a priority class of the cluster’s own pods',
    manifest({ placement: { default: { priorityClassName: 'system-node-critical' } } }),
    'spec.placement.default.priorityClassName',
    /must not start with system-/,
  ],
  ['weights that are no weights file', manifest({ model: { weights: 'imagenet' } }), 'spec.model', /must be ImageNet, None, or a file/],
  [
    'external labels on a claim and in an image',
    manifest({ pseudoLabels: { source: 'External', external: { path: 'x', claimName: 'a', image: 'b' } } }),
    'spec.pseudoLabels.external',
    /exclude each other/,
  ],
  [
    'weights on a claim and in an image',
    manifest({ model: { weights: 'a.pth', weightsFrom: { claimName: 'a', image: 'b' } } }),
    'spec.model.weightsFrom',
    /exclude each other/,
  ],
  ['a claim of no size', manifest({ storage: { size: '0.0Gi' } }), 'spec.storage.size', /^must be at least 1Mi, is 0\.0Gi$/],
  [
    'a claim without a unit',
    manifest({ storage: { size: '20' } }),
    'spec.storage.size',
    /^must be at least 1Mi, is 20 bytes: did you mean 20Gi\?$/,
  ],
  ...(
    [
      ['16', / is 16 bytes: did you mean 16Gi\?$/],
      ['1.5', / is 1\.5 bytes: did you mean 1\.5Gi\?$/],
      ['16000', / is 16000 bytes: did you mean 16000Mi\?$/],
      ['512m', / is 512m, thousandths of a byte: did you mean Mi\?$/],
      ['63Mi', /^must be at least 64Mi, is 63Mi$/],
      ['1e-9', /^must be at least 64Mi, is 1e-9$/],
    ] as const
  ).map(([memory, message]): (typeof AGAINST_RULES)[number] => [
    `memory of ${memory}`,
    manifest({ placement: { segment: { memory } } }),
    'spec.placement.segment.memory',
    message,
  ]),
  ...(['pseudoLabel', 'evaluate'] as const).map((stage): (typeof AGAINST_RULES)[number] => [
    `shards of ${stage} on a claim that serves one pod`,
    manifest({ storage: { accessModes: ['ReadWriteOncePod'] }, placement: { [stage]: { shards: 4 } } }),
    `spec.placement.${stage}.shards`,
    /must be 1 on a claim with ReadWriteOncePod/,
  ]),
  [
    'a label’s key with a space',
    placed({ nodeSelector: { 'gpu pool': 'a' } }),
    'spec.placement.default.nodeSelector',
    /keys must be those/,
  ],
  [
    'a label’s key with two domains',
    placed({ nodeSelector: { 'a/b/c': '' } }),
    'spec.placement.default.nodeSelector',
    /keys must be those/,
  ],
  ['a toleration of nothing', placed({ tolerations: [{}] }), 'spec.placement.default.tolerations[0].operator', /Exists without a key/],
  [
    'a toleration of a value without a key',
    placed({ tolerations: [{ operator: 'Equal', value: 'a' }] }),
    'spec.placement.default.tolerations[0].operator',
    /Exists without a key/,
  ],
  [
    'a value beside the operator Exists',
    placed({ tolerations: [{ key: 'gpu', operator: 'Exists', value: 'a' }] }),
    'spec.placement.default.tolerations[0].value',
    /must be left out with the operator Exists/,
  ],
  [
    'seconds of a toleration that removes nothing',
    placed({ tolerations: [{ key: 'gpu', effect: 'NoSchedule', tolerationSeconds: 60 }] }),
    'spec.placement.default.tolerations[0].tolerationSeconds',
    /needs the effect NoExecute/,
  ],
  ...(
    [
      ['In without values', { key: 'gpu', operator: 'In' }, /with the operators In and NotIn/],
      ['NotIn of no values', { key: 'gpu', operator: 'NotIn', values: [] }, /with the operators In and NotIn/],
      ['Exists with values', { key: 'gpu', operator: 'Exists', values: ['a'] }, /left out with Exists/],
      ['Gt of a word', { key: 'gpus', operator: 'Gt', values: ['two'] }, /one whole number/],
      ['Lt of two numbers', { key: 'gpus', operator: 'Lt', values: ['1', '2'] }, /one whole number/],
    ] as const
  ).map(([why, expression, message]): (typeof AGAINST_RULES)[number] => [
    `of nodes: ${why}`,
    placed({ affinity: nodesWith({ matchExpressions: [expression] }) }),
    'spec.placement.default.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values',
    message,
  ]),
  [
    'of pods: In without values',
    placed({ affinity: nearPods({ labelSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }) }),
    `${NEAR_PODS}.labelSelector.matchExpressions[0].values`,
    /with the operators In and NotIn/,
  ],
  [
    'a label’s key that is none, of pods',
    placed({ affinity: nearPods({ labelSelector: { matchLabels: { '-a': 'b' } } }) }),
    `${NEAR_PODS}.labelSelector.matchLabels`,
    /keys must be those/,
  ],
  [
    'keys of the pod’s own without a selector',
    placed({ affinity: nearPods({ matchLabelKeys: ['team'] }) }),
    `${NEAR_PODS}.labelSelector`,
    /must be given with matchLabelKeys/,
  ],
  [
    'a key of the pod’s own that the selector has as well',
    placed({ affinity: nearPods({ labelSelector: { matchLabels: { team: 'a' } }, matchLabelKeys: ['team'] }) }),
    `${NEAR_PODS}.matchLabelKeys`,
    /other keys than labelSelector/,
  ],
  [
    'a key that is to be the same and another',
    placed({ affinity: nearPods({ labelSelector: {}, matchLabelKeys: ['team'], mismatchLabelKeys: ['team'] }) }),
    `${NEAR_PODS}.mismatchLabelKeys`,
    /other keys than matchLabelKeys/,
  ],
  [
    'two constraints of one kind',
    placed({ topologySpreadConstraints: [spread({}), spread({ maxSkew: 2 })] }),
    'spec.placement.default.topologySpreadConstraints',
    /must differ in topologyKey/,
  ],
  [
    'a number of domains for a wish',
    placed({ topologySpreadConstraints: [spread({ minDomains: 2 })] }),
    'spec.placement.default.topologySpreadConstraints[0].minDomains',
    /needs whenUnsatisfiable: DoNotSchedule/,
  ],
  [
    'a key of a constraint that its selector has as well',
    placed({
      topologySpreadConstraints: [
        spread({ labelSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] }, matchLabelKeys: ['team'] }),
      ],
    }),
    'spec.placement.default.topologySpreadConstraints[0].matchLabelKeys',
    /other keys than labelSelector/,
  ],
  [
    'a GPU in the domain of Kubernetes’ own resources',
    manifest({ placement: { evaluate: { gpuResource: 'kubernetes.io/batch-cpu' } } }),
    'spec.placement.evaluate.gpuResource',
    /name a device plugin’s resource/,
  ],
];

const named = (name: unknown) => ({ ...manifest({}), metadata: { name } });

/** Manifests with a value that one field does not take: [why, manifest, field]. */
export const WRONG_VALUES: [why: string, manifest: Record<string, unknown>, field: string][] = [
  ['a number below its limit', manifest({ segment: { epochs: 0, warmupEpochs: 0 } }), 'spec.segment.epochs'],
  ['a number at an open limit', manifest({ classify: { learningRate: 0 } }), 'spec.classify.learningRate'],
  ['a fraction for a whole number', manifest({ retries: 1.5 }), 'spec.retries'],
  ['a text for a number', manifest({ seed: 'x' }), 'spec.seed'],
  ['a list for a mapping', manifest({ losses: [] }), 'spec.losses'],
  ['an unknown backbone', manifest({ model: { backbone: 'vgg' } }), 'spec.model.backbone'],
  ['an empty list', manifest({ evaluation: { scales: [] } }), 'spec.evaluation.scales'],
  ['a scale of 0', manifest({ evaluation: { scales: [0] } }), 'spec.evaluation.scales[0]'],
  ['no path in a folder', manifest({ dataset: { folder: {} } }), 'spec.dataset.folder.path'],
  ['a digest of another form', manifest({ dataset: { generator: {}, digest: 'md5:0' } }), 'spec.dataset.digest'],
  ['null in a list', manifest({ pseudoLabels: { scales: [null] } }), 'spec.pseudoLabels.scales[0]'],
  ['a label’s value with a space', placed({ nodeSelector: { pool: 'my pool' } }), 'spec.placement.default.nodeSelector.pool'],
  [
    'a taint’s key with a space',
    placed({ tolerations: [{ key: 'my gpu', operator: 'Exists' }] }),
    'spec.placement.default.tolerations[0].key',
  ],
  [
    'an operator of no toleration',
    placed({ tolerations: [{ key: 'a', operator: 'In' }] }),
    'spec.placement.default.tolerations[0].operator',
  ],
  ['an effect of no taint', placed({ tolerations: [{ key: 'a', effect: 'Never' }] }), 'spec.placement.default.tolerations[0].effect'],
  [
    'a topology key with a space',
    placed({ topologySpreadConstraints: [spread({ topologyKey: 'my zone' })] }),
    'spec.placement.default.topologySpreadConstraints[0].topologyKey',
  ],
  [
    'a field of nodes other than the name',
    placed({ affinity: nodesWith({ matchFields: [{ key: 'spec.unschedulable', operator: 'In', values: ['a'] }] }) }),
    'spec.placement.default.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key',
  ],
  [
    'more labels than are taken',
    placed({ nodeSelector: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, ''])) }),
    'spec.placement.default.nodeSelector',
  ],
  ['a number as a label', manifest({ placement: { default: { nodeSelector: { a: 1 } } } }), 'spec.placement.default.nodeSelector.a'],
  ['a claim that no object can be named like', manifest({ storage: { claimName: 'a..b' } }), 'spec.storage.claimName'],
  ['an image with a space', manifest({ image: 'my trainer' }), 'spec.image'],
  ['a quantity in words', manifest({ placement: { default: { memory: 'lots' } } }), 'spec.placement.default.memory'],
  ['a queue whose name no label holds', manifest({ queueName: 'q'.repeat(64) }), 'spec.queueName'],
  ['more seconds than a Job takes', manifest({ ttlSecondsAfterFinished: 2 ** 31 }), 'spec.ttlSecondsAfterFinished'],
  ['a whole number that loses digits on its way', manifest({ segment: { epochs: 2 ** 53 } }), 'spec.segment.epochs'],
  [
    'a resource claim named twice',
    manifest({
      placement: {
        default: {
          resourceClaims: [
            { name: 'a', resourceClaimName: 'x' },
            { name: 'a', resourceClaimName: 'y' },
          ],
        },
      },
    }),
    'spec.placement.default.resourceClaims',
  ],
  ['a name in capital letters', named('Test'), 'metadata.name'],
  ['a name with a dot', named('a.b'), 'metadata.name'],
  ['a name that ends with a dash', named('a-'), 'metadata.name'],
  ['a name of 53 letters', named('a'.repeat(53)), 'metadata.name'],
];
