import { existsSync, realpathSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, parse } from 'node:path';
import { ARTIFACTS } from '../trainer-image/artifacts.ts';
import { IMAGE_EXTENSIONS, readImage } from '../trainer-image/data/images.ts';
import { writeIndexPng } from '../trainer-image/data/index-png.ts';
import { writeRgbPng } from '../trainer-image/data/rgb-png.ts';
import { BadInputError } from '../trainer-image/errors.ts';
import { predictImage } from '../trainer-image/evaluation/inference.ts';
import { makeFolder } from '../trainer-image/file-system-error.ts';
import { normalisationOf } from '../trainer-image/model/segmentor.ts';
import { openSegmentor } from '../trainer-image/stages/model-metadata.ts';
import { overlay } from '../trainer-image/stages/predict.ts';

export interface PredictOptions {
  /** weights.safetensors of a segment stage, or that stage's folder. */
  readonly model: string;
  /** Folder of images, or one image. */
  readonly images: string;
  /** Folder for <name>.png (palette PNGs) and, with overlays, <name>-overlay.png. */
  readonly output: string;
  readonly overlays: boolean;
  readonly scales: readonly number[];
  readonly flips: boolean;
  /** Whether files in the output may be replaced. */
  readonly overwrite: boolean;
  readonly onProgress: (done: number, total: number) => void;
}

export interface Predictions {
  /** How many were segmented. */
  readonly images: number;
  /** Images that could not be read. */
  readonly unreadable: readonly { readonly file: string; readonly message: string }[];
  readonly classes: readonly string[];
}

const OUTPUT_OPTION = '--output';

interface NamedImage {
  readonly file: string;
  /** Names of what is written for it: the prediction and, if wanted, the overlay. */
  readonly written: readonly string[];
}

/** The images of a folder by name, in order, or the one image. */
async function listImages(path: string): Promise<string[]> {
  const isImage = (name: string) => (IMAGE_EXTENSIONS as readonly string[]).includes(extname(name).toLowerCase());
  const extensions = IMAGE_EXTENSIONS.join(', ');
  if ((await stat(path)).isFile()) {
    if (isImage(path)) return [path];
    throw new BadInputError(`neither a folder nor an image (${extensions})`, { file: path });
  }
  const names = await readdir(path).catch((cause: unknown) => {
    throw new BadInputError('the folder of images cannot be read', { file: path, cause });
  });
  const images = names.filter(isImage).sort();
  if (images.length === 0) throw new BadInputError(`the folder holds no image (${extensions})`, { file: path });
  return images.map((name) => join(path, name));
}

/** Says what is written for each image; two that would give the same PNG are refused. */
function nameResults(files: readonly string[], overlays: boolean): NamedImage[] {
  const owners = new Map<string, string>();
  return files.map((file) => {
    const { name } = parse(file);
    const written = [`${name}.png`, ...(overlays ? [`${name}-overlay.png`] : [])];
    for (const result of written) {
      const other = owners.get(result);
      if (other !== undefined) {
        const message = `${basename(other)} and ${basename(file)} would both give ${result}; rename one of them`;
        throw new BadInputError(message, { file });
      }
      owners.set(result, file);
    }
    return { file, written };
  });
}

function checkOutput(images: readonly NamedImage[], { output, overwrite }: PredictOptions): void {
  const where = (file: string) => ({ file, field: OUTPUT_OPTION });
  if (!existsSync(output)) return;
  if (realpathSync(output) === realpathSync(dirname(images[0].file)))
    throw new BadInputError('the predictions would overwrite the images; name another folder', where(output));
  const clash = images.flatMap(({ written }) => written).find((name) => existsSync(join(output, name)));
  if (clash !== undefined && !overwrite)
    throw new BadInputError('exists already; name another folder, or replace it with --overwrite', where(join(output, clash)));
}

/**
 * Segments an image, or every image of a folder, with a trained model. An image that cannot be read does not keep the others from it.
 * @throws BadInputError where the model cannot be read, and where predictions would overwrite the images, each other or what is there
 */
export async function predictImages(options: PredictOptions): Promise<Predictions> {
  const { output, overlays, scales, flips, onProgress } = options;
  const isFolder = await stat(options.model).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const { network, model } = openSegmentor(isFolder ? join(options.model, ARTIFACTS.segment.weights) : options.model);
  const images = nameResults(await listImages(options.images), overlays);
  checkOutput(images, options);
  makeFolder(output, OUTPUT_OPTION);
  const settings = { scales, flips, normalisation: normalisationOf(model.backbone) };
  const unreadable: { file: string; message: string }[] = [];
  for (const [index, { file, written }] of images.entries()) {
    const image = await readImage(file).catch((error: unknown) => {
      if (!(error instanceof BadInputError)) throw error;
      unreadable.push({ file, message: error.message });
      return undefined;
    });
    if (image !== undefined) {
      const labels = predictImage(network, image, settings);
      const [prediction, overlaid] = written.map((name) => join(output, name));
      writeIndexPng(prediction, labels);
      if (overlays) await writeRgbPng(overlaid, overlay(image, labels));
    }
    onProgress(index + 1, images.length);
  }
  network.parameters.dispose();
  return { images: images.length - unreadable.length, unreadable, classes: model.classes };
}
