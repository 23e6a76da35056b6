import { API_VERSION, KIND } from '../../api/experiment.ts';
import type { SuggestedSettings } from './suggest-settings.ts';

export interface ExperimentDraft {
  readonly name: string;
  /** Where the reference of all settings is. */
  readonly reference: string;
  /** All paths of the data set; `path` relative to the YAML file or absolute, the others relative to it. */
  readonly folder: {
    readonly path: string;
    readonly images: string;
    readonly scribbles: string;
    readonly masks: string;
    readonly trainSplit: string;
    readonly valSplit: string;
  };
  readonly hasMasks: boolean;
  readonly trainImages: number;
  /** Class names to write down; undefined where labels.txt names them. */
  readonly classes?: readonly string[];
  /** The names are only numbers, because nothing names the classes. */
  readonly classesAreGuessed: boolean;
  readonly settings: SuggestedSettings;
}

/** The experiment as commented YAML. */
export function renderExperiment(draft: ExperimentDraft): string {
  const { folder, settings, hasMasks } = draft;
  return `# Written by \`cdsp init\`. Everything left out has its default; all settings are in ${draft.reference}
apiVersion: ${API_VERSION}
kind: ${KIND}
metadata:
  name: ${yamlText(draft.name)}
spec:
  # The same seed, data and settings give the same weights.
  seed: 0

  dataset:
    folder:
      # Relative paths start at this file.
      path: ${yamlText(folder.path)}
      images: ${yamlText(folder.images)}
      # Index PNGs: one class number a pixel, 255 where nothing is annotated.
      scribbles: ${yamlText(folder.scribbles)}
      # ${hasMasks ? 'True masks; only the validation images need one.' : 'True masks of the images in valSplit. None were found; with them the result is scored.'}
      masks: ${yamlText(folder.masks)}
${hasMasks ? '' : '      # A list of names each. Without the first, every image with a scribble is trained on.\n'}      trainSplit: ${yamlText(folder.trainSplit)}
      valSplit: ${yamlText(folder.valSplit)}
${renderClasses(draft)}
  model:
    # Small, quick on a CPU, and its ImageNet weights are built in. With a GPU: resnet50 or resnet101 with a weights file.
    backbone: efficientnet-lite0
    segmentor: deeplabv2

  # Settings for ${draft.trainImages} training images. More epochs cost time and help a little; a bigger crop helps with big images.
  classify:
    epochs: ${settings.classifyEpochs}
    batchSize: ${settings.batchSize}
    cropSize: ${settings.cropSize}

  pseudoLabels:
    # Left out, the background threshold is chosen on the scribbles.
    # backgroundThreshold: 0.3
    refinement:
      # None gives the plain published form.
      method: PixelAdaptive
      iterations: 60

  segment:
    epochs: ${settings.segmentEpochs}
    batchSize: ${settings.batchSize}
    cropSize: ${settings.cropSize}
    learningRate: 0.002
    warmupEpochs: ${settings.segmentWarmupEpochs}
    # The head is new and learns faster than the pretrained backbone, whose batch norm small batches would spoil.
    headRateFactor: 10
    freezeBatchNorm: true
    # Frozen batch norm lets gradients grow long; longer ones are scaled down to this.
    maxGradientNorm: 2
    # Epochs between looks at the validation images.
    validateEvery: ${settings.validateEvery}

  losses:
    # lambda: exponents of the two distance maps; the report shows the maps for several values.
    # weight: 1 is the published value, for tens of thousands of steps. Short trainings want these terms lighter.
    scribbleDistance:
      lambda: 1
      weight: 0.1
    classDistance:
      lambda: 6
      weight: 0.1
    lorm:
      weight: 0.01

  evaluation:
    # Averaging over scales and flips is slower and better.
    scales: [1, 1.5]
    flips: false
`;
}

function renderClasses({ classes, classesAreGuessed }: ExperimentDraft): string {
  if (classes === undefined) return '    # The class names are in labels.txt.\n';
  const note = classesAreGuessed
    ? '# Index 0 is the background. The names are placeholders: write your own.'
    : '# Index 0 is the background.';
  return ['    classes:', `      ${note}`, ...classes.map((name) => `      - ${yamlText(name)}`), ''].join('\n');
}

/** A string as YAML: plain where that is certain to be read back as the same string, else in double quotes (as in JSON). */
function yamlText(text: string): string {
  const looksLikePath = /^([A-Za-z]|\.{0,2}\/)[\w./-]*( [\w./-]+)*$/.test(text);
  const isPlain = looksLikePath && !/^(true|false|null|yes|no|on|off|y|n|nan|inf)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
