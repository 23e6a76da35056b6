import { API_VERSION, KIND } from '../../../operator/api/experiment.ts';

export const DIGEST = `sha256:${'0a'.repeat(32)}`;

/** An experiment as a person would write it, around the given spec. */
export function manifest(spec: Record<string, unknown>): Record<string, unknown> {
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name: 'test' }, spec: { dataset: { generator: {} }, ...spec } };
}

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
  ['a warm-up longer than the training', manifest({ classify: { epochs: 2, warmupEpochs: 2.5 } }), 'spec.classify', /warmupEpochs/],
  ['the same in segment', manifest({ segment: { epochs: 5 } }), 'spec.segment', /warmupEpochs/],
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
  ['weights that are no weights file', manifest({ model: { weights: 'imagenet' } }), 'spec.model', /must be ImageNet, None, or a file/],
];
