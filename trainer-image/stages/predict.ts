import { realpathSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, parse } from 'node:path';
import { ARTIFACTS } from '../artifacts.ts';
import { IMAGE_EXTENSIONS, readImage } from '../data/images.ts';
import { VOC_PALETTE, writeIndexPng } from '../data/index-png.ts';
import type { LabelMap, RgbImage } from '../data/types.ts';
import { writeRgbPng } from '../data/rgb-png.ts';
import { BadInputError } from '../errors.ts';
import { makeFolder } from '../file-system-error.ts';
import { predictImage } from '../evaluation/inference.ts';
import { normalisationOf } from '../model/segmentor.ts';
import { openSegmentor } from './model-metadata.ts';

export interface PredictOptions {
  /** weights.safetensors of a segment stage, or that stage's folder. */
  readonly model: string;
  /** Folder of images. */
  readonly images: string;
  /** Folder for <name>.png (palette PNGs) and, with overlays, <name>-overlay.png. */
  readonly output: string;
  readonly overlays: boolean;
  readonly scales: readonly number[];
  readonly flips: boolean;
  onProgress(done: number, total: number): void;
}

const OUTPUT_OPTION = '--output';
/** Share of the class colour in an overlay. */
const OVERLAY_SHARE = 0.5;

/** The image with the predicted classes' colours laid over it; the background stays as it is. */
export function overlay(image: RgbImage, labels: LabelMap): RgbImage {
  const data = Uint8Array.from(image.data, (value, index) => {
    const label = labels.data[Math.floor(index / 3)];
    return label === 0 ? value : Math.round((1 - OVERLAY_SHARE) * value + OVERLAY_SHARE * VOC_PALETTE[label][index % 3]);
  });
  return { ...image, data };
}

interface NamedImage {
  readonly file: string;
  /** Names of what is written for it: the prediction and, if wanted, the overlay. */
  readonly written: readonly string[];
}

/** Images of a folder by name, in order; two that would give the same PNG are refused. */
async function listImages(folder: string, overlays: boolean): Promise<NamedImage[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new BadInputError('the folder of images cannot be read', { file: folder, cause });
  });
  const images = names
    .filter((name) => (IMAGE_EXTENSIONS as readonly string[]).includes(extname(name).toLowerCase()))
    .sort()
    .map((file): NamedImage => {
      const { name } = parse(file);
      return { file: join(folder, file), written: [`${name}.png`, ...(overlays ? [`${name}-overlay.png`] : [])] };
    });
  if (images.length === 0) throw new BadInputError(`the folder holds no image (${IMAGE_EXTENSIONS.join(', ')})`, { file: folder });
  const owners = new Map<string, NamedImage>();
  for (const image of images) {
    for (const name of image.written) {
      const other = owners.get(name);
      if (other !== undefined) {
        const message = `${basename(other.file)} and ${basename(image.file)} would both give ${name}; rename one of them`;
        throw new BadInputError(message, { file: image.file });
      }
      owners.set(name, image);
    }
  }
  return images;
}

/**
 * Segments every image of a folder with a trained model.
 * @throws BadInputError where the model or an image cannot be read, and where predictions would overwrite the images or each other
 */
export async function predictFolder(options: PredictOptions): Promise<{ images: number; output: string; classes: readonly string[] }> {
  const isFolder = await stat(options.model).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const { network, model } = openSegmentor(isFolder ? join(options.model, ARTIFACTS.segment.weights) : options.model);
  const images = await listImages(options.images, options.overlays);
  makeFolder(options.output, OUTPUT_OPTION);
  if (realpathSync(options.output) === realpathSync(options.images))
    throw new BadInputError('the predictions would overwrite the images; name another folder', {
      file: options.output,
      field: OUTPUT_OPTION,
    });
  const settings = { scales: options.scales, flips: options.flips, normalisation: normalisationOf(model.backbone) };
  for (const [index, { file, written }] of images.entries()) {
    const image = await readImage(file);
    const labels = predictImage(network, image, settings);
    const [prediction, overlaid] = written.map((name) => join(options.output, name));
    await writeIndexPng(prediction, labels);
    if (options.overlays) await writeRgbPng(overlaid, overlay(image, labels));
    options.onProgress(index + 1, images.length);
  }
  network.parameters.dispose();
  return { images: images.length, output: options.output, classes: model.classes };
}
