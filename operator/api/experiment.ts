import { z } from 'zod';
import { filePath, objectName } from './names.ts';
import { Placements } from './placement.ts';
import { ofForm, withRules, withTransitions, type Rule } from './rules.ts';
import { LARGEST_INT32 } from './scheduling.ts';
import { imageReference, oneVolume, Storage, STORAGE_TRANSITIONS, volumeFields } from './storage.ts';

/**
 * The one source of the CDSPExperiment resource: its types, defaults, validation, the generated CRD and the reference
 * documentation all come from this schema. Kubernetes' structural schemas rule out unions, tuples and strict objects, so
 * alternatives are flat optional members guarded by rules (rules.ts) that hold in a cluster and locally.
 * Lengths are in pixels, rates and weights without unit, ratios in [0, 1] unless said otherwise.
 */

export const GROUP = 'cdsp.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = 'CDSPExperiment';
export const IGNORE_INDEX = 255;

export const STAGES = ['classify', 'pseudo-label', 'segment', 'evaluate'] as const;
export type StageName = (typeof STAGES)[number];

export const BACKBONES = ['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'efficientnet-lite0'] as const;
export type BackboneName = (typeof BACKBONES)[number];
export const SEGMENTORS = ['deeplabv2', 'deeplabv3plus'] as const;
export type SegmentorName = (typeof SEGMENTORS)[number];
/** Channels of DeepLabV3+'s pyramid and decoder where the experiment leaves them out. */
export const PUBLISHED_HEAD_CHANNELS = 256;

/** A list whose entries differ from each other. */
const distinct = <S extends z.ZodType<unknown[]>>(list: S) =>
  withRules(list, {
    cel: 'self.all(a, self.exists_one(b, b == a))',
    holds: (entries) => new Set(entries).size === entries.length,
    message: 'entries must differ from each other',
  });

const ratio = () => z.number().min(0).max(1);
const positive = () => z.number().gt(0);

const Ramp = withRules(
  z.object({
    start: ratio().default(0).describe('Share of the training steps after which the weight starts to rise from 0.'),
    end: ratio().default(0).describe('Share of the training steps at which the full weight is reached; start = end = 0: no ramp.'),
  }),
  {
    cel: 'self.start <= self.end',
    holds: ({ start, end }) => start <= end,
    message: 'start must not be greater than end; give both',
  },
);

const lossTerm = {
  enabled: z.boolean().default(true).describe('Switches the term on or off.'),
  weight: z.number().min(0).default(1).describe('Weight of the term in the sum.'),
};
/** The terms' keys in `spec.losses`. */
export const LOSS_TERMS = ['scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm'] as const;
export type LossTermName = (typeof LOSS_TERMS)[number];
type LossSwitches = Readonly<Record<LossTermName, { readonly enabled: boolean; readonly weight: number }>>;

/** Whether a term counts at all. */
export const isEffective = (losses: LossSwitches, term: LossTermName): boolean => losses[term].enabled && losses[term].weight > 0;
const isEffectiveInCel = (losses: string, term: LossTermName) => `${losses}.${term}.enabled && ${losses}.${term}.weight > 0.0`;

/** The terms that read pseudo-labels; the scribble terms, L_segs and L_ds, do not. */
const LABEL_TERMS = ['pseudoLabel', 'classDistance', 'lorm'] as const satisfies LossTermName[];

/** Whether the segment stage reads pseudo-labels; an experiment that does not has no use for classify and pseudo-label. */
export const needsPseudoLabels = (losses: LossSwitches): boolean => LABEL_TERMS.some((term) => isEffective(losses, term));

const noRamp = () => Ramp.prefault({}).describe('Linear ramp of the weight.');
/** Entropy terms amplify what the model believes, so by default they come in once it believes something. */
const lateRamp = () =>
  Ramp.prefault({ start: 0.3333, end: 0.6667 }).describe('Linear ramp of the weight; the published setting has none (0, 0).');

const Losses = withRules(
  z.object({
    scribble: z
      .object({ ...lossTerm, ramp: noRamp() })
      .prefault({})
      .describe('L_segs: cross entropy over the scribbled pixels.'),
    pseudoLabel: z
      .object({
        ...lossTerm,
        labelSmoothing: z.number().min(0).lt(1).default(0.1).describe('Label smoothing ε.'),
        ramp: noRamp(),
      })
      .prefault({})
      .describe('L_segc: cross entropy with label smoothing over the pseudo-label.'),
    scribbleDistance: z
      .object({
        ...lossTerm,
        lambda: z.number().min(-10).max(20).default(1).describe('Exponent λs: the squared distance is multiplied by e^λs.'),
        ramp: lateRamp(),
      })
      .prefault({})
      .describe('L_ds (DEL): entropy weighted by the distance to the nearest foreground scribble.'),
    classDistance: z
      .object({
        ...lossTerm,
        lambda: z.number().min(-10).max(20).default(6).describe('Exponent λc: the squared distance is multiplied by e^λc.'),
        ramp: lateRamp(),
      })
      .prefault({})
      .describe('L_dc (DEL): entropy weighted by the distance to the pseudo-label’s boundary.'),
    lorm: z
      .object({ ...lossTerm, ramp: lateRamp() })
      .prefault({})
      .describe('L_lorm (LoRM): feature-space rectification.'),
  }),
  {
    cel: LOSS_TERMS.map((term) => isEffectiveInCel('self', term)).join(' || '),
    holds: (losses) => LOSS_TERMS.some((term) => isEffective(losses, term)),
    message: 'at least one term must be enabled with a weight above 0',
  },
);

const Augmentation = withRules(
  z.object({
    scaleMin: positive().default(0.5).describe('Smallest random scale.'),
    scaleMax: positive().default(2).describe('Largest random scale.'),
    flip: z.boolean().default(true).describe('Random horizontal flips.'),
  }),
  {
    cel: 'self.scaleMin <= self.scaleMax',
    holds: ({ scaleMin, scaleMax }) => scaleMin <= scaleMax,
    message: 'scaleMin must not be greater than scaleMax',
  },
);

function trainingSettings(defaults: {
  epochs: number;
  batchSize: number;
  learningRate: number;
  warmupEpochs: number;
  freezeBatchNorm: boolean;
}) {
  return z.object({
    epochs: z.int().min(1).default(defaults.epochs).describe('Passes over the training split.'),
    batchSize: z.int().min(1).default(defaults.batchSize).describe('Images in a step.'),
    cropSize: z.int().min(32).max(4096).default(320).describe('Side of the square random crop, in pixels.'),
    learningRate: positive()
      .default(defaults.learningRate)
      .describe('Base rate; linear warm-up from 0, then cosine to 0, set at every step.'),
    warmupEpochs: z.number().min(0).default(defaults.warmupEpochs).describe('Epochs of linear warm-up.'),
    headRateFactor: positive()
      .default(1)
      .describe('How many times faster than the backbone the layers that start from random values learn; DeepLab’s own training takes 10.'),
    momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum of SGD.'),
    weightDecay: z.number().min(0).default(5e-4).describe('L2 weight decay.'),
    maxGradientNorm: positive()
      .optional()
      .describe(
        'A gradient whose Euclidean norm over all weights is larger is scaled down to it, before momentum and decay. Left out, none is; with frozen batch norm gradients can be long enough to throw a training off at moderate rates.',
      ),
    freezeBatchNorm: z
      .boolean()
      .default(defaults.freezeBatchNorm)
      .describe('Keeps the backbone’s batch-norm statistics, scale and offset fixed; only for a backbone that starts from weights.'),
    augmentation: Augmentation.prefault({}).describe('Random geometry of the training crops.'),
    checkpointEvery: z.int().min(1).default(200).describe('Steps between checkpoints; one is also written at the end of each epoch.'),
  });
}

interface Epochs {
  readonly warmupEpochs: number;
  readonly epochs: number;
}

/**
 * A value that is the default is called so, whoever has set it: rules see values with their defaults. CEL must not put numbers into a message,
 * as it takes a number for a text of any length.
 */
const warmupFits = ({ warmupEpochs, epochs }: Epochs): Rule<Epochs>[] => [
  {
    cel: `self.warmupEpochs <= double(self.epochs) || self.warmupEpochs == double(${warmupEpochs}) || self.epochs == ${epochs}`,
    holds: (self) => self.warmupEpochs <= self.epochs || self.warmupEpochs === warmupEpochs || self.epochs === epochs,
    message: 'warmupEpochs must not be greater than epochs',
  },
  {
    cel: `self.epochs != ${epochs} || self.warmupEpochs <= double(self.epochs)`,
    holds: (self) => self.epochs !== epochs || self.warmupEpochs <= self.epochs,
    message: `warmupEpochs must not be greater than epochs, which is ${epochs}, its default: set it, too`,
  },
  // No training is shorter than an epoch.
  ...(warmupEpochs <= 1
    ? []
    : [
        {
          cel: `self.warmupEpochs != double(${warmupEpochs}) || self.warmupEpochs <= double(self.epochs)`,
          holds: (self: Epochs) => self.warmupEpochs !== warmupEpochs || self.warmupEpochs <= self.epochs,
          message: `warmupEpochs is ${warmupEpochs}, its default, and must not be greater than epochs: set it, too`,
        },
      ]),
];

const CLASSIFY_DEFAULTS = { epochs: 10, batchSize: 16, learningRate: 1e-2, warmupEpochs: 1, freezeBatchNorm: false };
const SEGMENT_DEFAULTS = { epochs: 50, batchSize: 16, learningRate: 1e-3, warmupEpochs: 10, freezeBatchNorm: false };

/** Names below a data folder where an experiment gives none; PASCAL VOC's, and those of the built-in scenes. */
export const FOLDER_NAMES = {
  images: 'JPEGImages',
  scribbles: 'Scribbles',
  masks: 'SegmentationClass',
  trainSplit: 'ImageSets/Segmentation/train.txt',
  valSplit: 'ImageSets/Segmentation/val.txt',
} as const;

const name = (key: keyof typeof FOLDER_NAMES) => filePath().default(FOLDER_NAMES[key]);

const DatasetFolder = withRules(
  z.object({
    path: filePath().describe(
      'Root of a VOC-style folder. Locally relative paths start at the YAML file; in a cluster at the root of the claim or image.',
    ),
    ...volumeFields,
    images: name('images').describe('Sub-folder of the images (JPEG, PNG or WebP).'),
    scribbles: name('scribbles').describe('Sub-folder of the scribbles: index PNGs, 255 where nothing is annotated.'),
    masks: name('masks').describe(
      'Sub-folder of the true masks (index PNGs), needed for the validation split only. May be missing under its default name: then nothing is scored.',
    ),
    trainSplit: name('trainSplit').describe(
      'File with one image name per line. May be missing under its default name: then every image with a scribble that is not in valSplit is trained on.',
    ),
    valSplit: name('valSplit').describe(
      'File with one image name per line. May be missing under its default name: then there is no validation.',
    ),
  }),
  oneVolume,
);

const DatasetGenerator = z.object({
  train: z.int().min(1).default(240).describe('Training scenes.'),
  val: z.int().min(1).default(60).describe('Validation scenes.'),
  size: z.int().min(48).max(1024).default(128).describe('Side of the square scenes, in pixels.'),
  maxObjects: z.int().min(1).max(8).default(3).describe('Objects in a scene, at most.'),
  seed: z.int().min(0).default(0).describe('Seed of the scenes; independent of the training seed.'),
});

const Dataset = withRules(
  z
    .object({
      folder: DatasetFolder.optional().describe('Images and scribbles in a folder.'),
      generator: DatasetGenerator.optional().describe('The built-in scene generator; its classes are fixed.'),
      classes: distinct(z.array(z.string().min(1).max(63)).min(2).max(255))
        .optional()
        .describe('Class names, index 0 is the background. Left out: read from labels.txt in the folder (lines of index and name).'),
      digest: ofForm(z.string().max(71), /^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits in lower case')
        .optional()
        .describe(
          'SHA-256 of the data set; part of the stage keys. Left out: local runs compute it from the files; with it none is read for that.',
        ),
    })
    .describe('What is trained on; exactly one of folder and generator.'),
  {
    cel: 'has(self.folder) != has(self.generator)',
    holds: ({ folder, generator }) => (folder === undefined) !== (generator === undefined),
    message: 'exactly one of folder and generator must be set',
  },
  {
    cel: '!(has(self.generator) && has(self.classes))',
    holds: ({ generator, classes }) => generator === undefined || classes === undefined,
    message: 'classes must not be set with generator, whose classes are fixed',
  },
);

const PseudoLabels = withRules(
  z.object({
    source: z
      .enum(['Cam', 'External'])
      .default('Cam')
      .describe('Cam: class activation maps of the classify stage. External: PNGs of any other method; classify does not run.'),
    external: withRules(z.object({ path: filePath().describe('Folder of index PNGs named like the images.'), ...volumeFields }), oneVolume)
      .optional()
      .describe('Pseudo-labels of another method.'),
    scales: distinct(z.array(z.number().gt(0).max(4)).min(1).max(8))
      .default([0.5, 1, 1.5, 2])
      .describe('Image scales that the activation maps are averaged over.'),
    flips: z.boolean().default(true).describe('Averages over horizontal flips, too.'),
    backgroundThreshold: z
      .number()
      .gt(0)
      .lt(1)
      .optional()
      .describe('Activation below which a pixel is background. Left out: chosen on the scribbles among thresholdCandidates.'),
    thresholdCandidates: distinct(z.array(z.number().gt(0).lt(1)).min(1).max(50))
      .default([0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
      .describe('Thresholds to choose from.'),
    refinement: z
      .object({
        method: z.enum(['None', 'PixelAdaptive']).default('PixelAdaptive').describe('None is the published plain form.'),
        iterations: z.int().min(1).max(1000).default(60).describe('Rounds of refinement.'),
        dilations: distinct(z.array(z.int().min(1).max(128)).min(1).max(12))
          .default([1, 2, 4, 8, 12, 24])
          .describe('Distances of the eight neighbours, in pixels.'),
        fixScribbles: z
          .boolean()
          .default(true)
          .describe('Sets the scribbles to their class before every round and paints them at the end.'),
        minProbability: z
          .number()
          .min(0)
          .lt(1)
          .default(0)
          .describe('Pixels whose refined class is no more probable than this become 255: nothing learns from them. 0 keeps all.'),
      })
      .prefault({})
      .describe('Refinement of the activation maps before they become labels.'),
    paintScribbles: z.boolean().default(false).describe('Paints the scribbles over the pseudo-labels.'),
  }),
  {
    cel: "(self.source == 'External') == has(self.external)",
    holds: ({ source, external }) => (source === 'External') === (external !== undefined),
    message: 'external must be set if and only if source is External',
  },
);

const Model = withRules(
  z.object({
    backbone: z.enum(BACKBONES).default('resnet50').describe('Network under both the classifier and the segmentor.'),
    segmentor: z.enum(SEGMENTORS).default('deeplabv2').describe('Head of the segmentor.'),
    outputStride: withRules(z.int(), {
      cel: 'self == 8 || self == 16',
      holds: (value) => value === 8 || value === 16,
      message: 'must be 8 or 16',
    })
      .optional()
      .describe('Input pixels per feature pixel: 8 or 16. Left out: 8 for ResNet, 16 for EfficientNet-Lite0.'),
    headChannels: z
      .int()
      .min(8)
      .max(2048)
      .optional()
      .describe(
        `Channels of DeepLabV3+’s pyramid branches and decoder, which take most of its time on a CPU. Left out: ${PUBLISHED_HEAD_CHANNELS}, as published. Only with segmentor deeplabv3plus.`,
      ),
    weights: filePath()
      .optional()
      .describe(
        'Backbone weights to start from: a .safetensors or .pth file with torchvision’s names, ImageNet for the built-in weights of efficientnet-lite0, or None. Left out: ImageNet where built in, else None.',
      ),
    weightsFrom: withRules(z.object(volumeFields), oneVolume)
      .optional()
      .describe('Cluster: where a weights file lies; left out: on the experiment’s own volume. Locally: not used.'),
  }),
  {
    cel: "!has(self.weights) || self.weights != 'ImageNet' || self.backbone == 'efficientnet-lite0'",
    holds: ({ weights, backbone }) => weights !== 'ImageNet' || backbone === 'efficientnet-lite0',
    message: 'weights: ImageNet is built in for efficientnet-lite0 only; name a .safetensors or .pth file, or None',
  },
  {
    cel: "!has(self.weights) || self.weights in ['ImageNet', 'None'] || self.weights.matches('[.](safetensors|pth|pt)$')",
    holds: ({ weights }) => weights === undefined || /^(ImageNet|None)$|[.](safetensors|pth|pt)$/.test(weights),
    message: 'weights must be ImageNet, None, or a file that ends in .safetensors, .pth or .pt',
  },
  {
    cel: "!has(self.headChannels) || self.segmentor == 'deeplabv3plus'",
    holds: ({ headChannels, segmentor }) => headChannels === undefined || segmentor === 'deeplabv3plus',
    message: 'headChannels: deeplabv2 has one channel a class in its head; leave it out, or set segmentor to deeplabv3plus',
  },
);

const Evaluation = z.object({
  scales: distinct(z.array(z.number().gt(0).max(4)).min(1).max(8))
    .default([1])
    .describe('Image scales that the class probabilities are averaged over.'),
  flips: z.boolean().default(false).describe('Averages over horizontal flips, too.'),
  savePredictions: z.boolean().default(true).describe('Keeps the predictions as palette PNGs.'),
});

const Spec = z.object({
  seed: z.int().min(0).max(LARGEST_INT32).default(0).describe('Seed of weights, shuffling and augmentation.'),
  suspend: z.boolean().default(false).describe('Starts nothing, and stops what runs; checkpoints are kept.'),
  dataset: Dataset,
  scribbles: z
    .object({
      shrink: ratio().default(0).describe('Each stroke keeps the middle 1 − shrink of its length; 1 leaves a spot.'),
      drop: ratio().default(0).describe('Probability with which a stroke is deleted.'),
    })
    .prefault({})
    .describe('Degradation of the scribbles, to test robustness.'),
  model: Model.prefault({}).describe('The network.'),
  classify: withRules(trainingSettings(CLASSIFY_DEFAULTS), ...warmupFits(CLASSIFY_DEFAULTS))
    .prefault({})
    .describe('Stage 1: training of the classifier on the classes in the scribbles.'),
  pseudoLabels: PseudoLabels.prefault({}).describe('Stage 2: class activation maps become pseudo-labels.'),
  segment: withRules(
    trainingSettings(SEGMENT_DEFAULTS).extend({
      batchSize: withRules(z.int(), {
        cel: 'self >= 2',
        holds: (value) => value >= 2,
        message: 'must be at least 2: batch norm over globally pooled features has one value an image',
      })
        .default(16)
        .describe('Images in a step.'),
      validateEvery: z
        .int()
        .min(0)
        .default(1)
        .describe(
          'Epochs between evaluations on the validation split; 0: never; without its masks no effect. They inform only: the last checkpoint counts.',
        ),
    }),
    ...warmupFits(SEGMENT_DEFAULTS),
  )
    .prefault({})
    .describe('Stage 3: training of the segmentor.'),
  losses: Losses.prefault({}).describe('The five terms of the segment loss.'),
  evaluation: Evaluation.prefault({}).describe('Stage 4: evaluation on the validation split.'),
  storage: withTransitions(Storage, ...STORAGE_TRANSITIONS)
    .prefault({})
    .describe('Where artifacts are kept.'),
  placement: Placements.prefault({}).describe(
    'Where and how the stages run; not part of the stage keys. On one’s own machine gpus alone counts, the rest is for a cluster.',
  ),
  retries: z.int().min(0).max(100).default(2).describe('How often a failed stage is started again; bad input is never retried.'),
  image: imageReference()
    .optional()
    .describe(
      'Cluster: trainer image, one that the operator’s configuration allows; part of the stage keys. Left out: the operator’s. Locally: not used.',
    ),
  queueName: objectName(63)
    .optional()
    .describe('Cluster: Kueue’s LocalQueue; the stages’ Jobs wait until it admits them. Locally: not used.'),
  ttlSecondsAfterFinished: z
    .int()
    .min(0)
    .max(LARGEST_INT32)
    .optional()
    .describe(
      'Cluster: seconds after which a finished stage’s Job and pods are removed; artifacts and results stay. Left out: with the experiment.',
    ),
});

/** Whether the network starts from random values whatever is installed; efficientnet-lite0 has weights built in. */
const startsFromScratch = ({ weights, backbone }: z.output<typeof Model>): boolean =>
  weights === undefined ? backbone !== 'efficientnet-lite0' : weights === 'None';
const STARTS_FROM_SCRATCH_IN_CEL = "(has(self.model.weights) ? self.model.weights == 'None' : self.model.backbone != 'efficientnet-lite0')";

const trainsClassifier = ({ pseudoLabels, losses }: z.output<typeof Spec>): boolean =>
  pseudoLabels.source === 'Cam' && needsPseudoLabels(losses);
const TRAINS_CLASSIFIER_IN_CEL = `self.pseudoLabels.source == 'Cam' && (${LABEL_TERMS.map((term) => isEffectiveInCel('self.losses', term)).join(' || ')})`;

const FROZEN_FROM_SCRATCH =
  'a backbone from scratch has no batch-norm statistics to keep; name its weights in spec.model.weights, or set this to false';

/** A claim for one pod at a time would have the shards wait for each other. */
const shardsCanRun = (stage: 'pseudoLabel' | 'evaluate') => ({
  cel: `!has(self.placement.${stage}.shards) || self.placement.${stage}.shards == 1 || !('ReadWriteOncePod' in self.storage.accessModes)`,
  holds: ({ placement, storage }: z.output<typeof Spec>) =>
    (placement[stage].shards ?? 1) === 1 || !storage.accessModes.includes('ReadWriteOncePod'),
  message:
    'must be 1 on a claim with ReadWriteOncePod, which serves one pod at a time; or set spec.storage.accessModes to ReadWriteOnce or ReadWriteMany',
  field: ['placement', stage, 'shards'],
});

export const ExperimentSpec = withRules(
  Spec,
  {
    cel: `!(self.classify.freezeBatchNorm && ${STARTS_FROM_SCRATCH_IN_CEL} && ${TRAINS_CLASSIFIER_IN_CEL})`,
    holds: (spec) => !(spec.classify.freezeBatchNorm && startsFromScratch(spec.model) && trainsClassifier(spec)),
    message: FROZEN_FROM_SCRATCH,
    field: ['classify', 'freezeBatchNorm'],
  },
  {
    cel: `!(self.segment.freezeBatchNorm && ${STARTS_FROM_SCRATCH_IN_CEL})`,
    holds: ({ segment, model }) => !(segment.freezeBatchNorm && startsFromScratch(model)),
    message: FROZEN_FROM_SCRATCH,
    field: ['segment', 'freezeBatchNorm'],
  },
  shardsCanRun('pseudoLabel'),
  shardsCanRun('evaluate'),
);

export const ObjectMeta = z.looseObject({
  name: ofForm(
    z.string().min(1).max(52),
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be lower-case letters, digits and dashes, starting and ending with a letter or digit',
  ),
  namespace: z.string().optional(),
});

export const Experiment = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: ObjectMeta,
  spec: ExperimentSpec,
});

/** A parsed experiment: every default filled in. */
export type Experiment = z.output<typeof Experiment>;
export type ExperimentSpec = z.output<typeof ExperimentSpec>;
/** An experiment as a person writes it. */
export type ExperimentInput = z.input<typeof Experiment>;
export type TrainingSettings = ExperimentSpec['classify'];
export type LossSettings = ExperimentSpec['losses'];
export type PseudoLabelSettings = ExperimentSpec['pseudoLabels'];
export type ModelSettings = ExperimentSpec['model'];
export type DatasetSettings = ExperimentSpec['dataset'];
