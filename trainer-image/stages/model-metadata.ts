import { z } from 'zod';
import { BACKBONES, SEGMENTORS } from '../../operator/api/experiment.ts';
import type { Random } from '../data/random.ts';
import { BadInputError } from '../errors.ts';
import { createSegmentor, type Segmentor } from '../model/segmentor.ts';
import { loadWeights } from '../model/weights/match-weights.ts';
import { readSafetensorsFile } from '../model/weights/safetensors.ts';

/** What a segmentor's weights file says about itself, so that it can be used without its experiment. */
const ModelMetadata = z.object({
  backbone: z.enum(BACKBONES),
  segmentor: z.enum(SEGMENTORS),
  outputStride: z.union([z.literal(8), z.literal(16)]),
  headChannels: z.int().min(1).optional(),
  classes: z.array(z.string()).min(2),
});
export type ModelMetadata = z.output<typeof ModelMetadata>;

const KEY = 'cdsp';

/** The metadata of a safetensors file, strings by name. */
export function modelMetadata(model: ModelMetadata): Record<string, string> {
  return { [KEY]: JSON.stringify(ModelMetadata.parse(model)) };
}

/** The network that the metadata describe, its parameters drawn from `random`; without it 0, to be loaded. */
export function createModel({ headChannels, classes, ...model }: ModelMetadata, lorm: boolean, random?: Random): Segmentor {
  const head = headChannels === undefined ? {} : { channels: headChannels };
  return createSegmentor({ ...model, classes: classes.length, lorm, head }, random);
}

/** Opens a trained segmentor for inference; LoRM's parameters are left out. @throws BadInputError for a file that is none */
export function openSegmentor(file: string): { network: Segmentor; model: ModelMetadata } {
  const text = readSafetensorsFile(file).metadata[KEY];
  if (text === undefined)
    throw new BadInputError('the file holds no CDSP segmentor; name the weights.safetensors of a segment stage', { file });
  let model: ModelMetadata;
  try {
    model = ModelMetadata.parse(JSON.parse(text));
  } catch (cause) {
    throw new BadInputError('the description of the model in the file cannot be read', { file, cause });
  }
  const network = createModel(model, false);
  network.parameters.load(loadWeights(file, network.parameters.expected()).arrays);
  return { network, model };
}
