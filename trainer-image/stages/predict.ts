import { mkdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join, parse } from 'node:path';
import { ARTIFACTS } from '../artifacts.ts';
import { IMAGE_EXTENSIONS, readImage } from '../data/images.ts';
import { VOC_PALETTE, writeIndexPng } from '../data/index-png.ts';
import type { LabelMap, RgbImage } from '../data/types.ts';
import { writeRgbPng } from '../data/rgb-png.ts';
import { BadInputError } from '../errors.ts';
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

/** Images of a folder by name, in order; two that would give the same PNG are refused. */
async function listImages(folder: string): Promise<{ name: string; file: string }[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new BadInputError('the folder of images cannot be read', { file: folder, cause });
  });
  const images = names
    .filter((name) => (IMAGE_EXTENSIONS as readonly string[]).includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ name: parse(name).name, file: join(folder, name) }));
  if (images.length === 0) throw new BadInputError(`the folder holds no image (${IMAGE_EXTENSIONS.join(', ')})`, { file: folder });
  const twice = images.find(({ name }, index) => images.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined)
    throw new BadInputError(`two images are called "${twice.name}"; their predictions would have the same name`, { file: twice.file });
  return images;
}

/** Segments every image of a folder with a trained model. */
export async function predictFolder(options: PredictOptions): Promise<{ images: number; output: string; classes: readonly string[] }> {
  const isFolder = await stat(options.model).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const { network, model } = openSegmentor(isFolder ? join(options.model, ARTIFACTS.segment.weights) : options.model);
  const images = await listImages(options.images);
  mkdirSync(options.output, { recursive: true });
  const settings = { scales: options.scales, flips: options.flips, normalisation: normalisationOf(model.backbone) };
  for (const [index, { name, file }] of images.entries()) {
    const image = await readImage(file);
    const labels = predictImage(network, image, settings);
    await writeIndexPng(join(options.output, `${name}.png`), labels);
    if (options.overlays) await writeRgbPng(join(options.output, `${name}-overlay.png`), overlay(image, labels));
    options.onProgress(index + 1, images.length);
  }
  network.parameters.dispose();
  return { images: images.length, output: options.output, classes: model.classes };
}
