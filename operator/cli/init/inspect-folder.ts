import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, parse } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { READING_ADVICE } from '../../../trainer-image/data/file-errors.ts';
import { parseLabels } from '../../../trainer-image/data/dataset.ts';
import { IMAGE_EXTENSIONS, readImageSize } from '../../../trainer-image/data/images.ts';
import { findAnnotations, findUnrecognised, plainName, type AnnotationFolder, type Folder } from './annotation-folders.ts';

export interface SplitList {
  readonly path: string;
  readonly count: number;
}

/** What is in a data folder. */
export interface FolderFindings {
  readonly root: string;
  readonly images?: {
    readonly path: string;
    readonly files: readonly string[];
    /** The files' names without extension. */
    readonly ids: readonly string[];
    readonly medianShortSide: number;
    readonly medianLongSide: number;
  };
  readonly scribbles?: AnnotationFolder;
  readonly masks?: AnnotationFolder;
  /** Where one of the two is missing: folders of unusual names that may be it, with the files that are named like images. */
  readonly unrecognised: readonly { readonly path: string; readonly files: number }[];
  readonly train?: SplitList;
  readonly val?: SplitList;
  /** Class names of a labels.txt, index 0 = background, and where it is. */
  readonly labels?: { readonly path: string; readonly names: readonly string[] };
}

/** Usual names, the likeliest first; case, dashes and underscores do not count. */
export const IMAGE_NAMES = ['jpegimages', 'images', 'image', 'imgs', 'img', 'photos', 'pictures', 'leftimg8bit', 'rgb'];
const SPLIT_FOLDERS = ['imagesets', 'splits', 'split', 'lists'];
const TRAIN_LISTS = ['train.txt', 'train_aug.txt', 'trainaug.txt', 'training.txt'];
const VAL_LISTS = ['val.txt', 'valid.txt', 'validation.txt', 'test.txt'];
/** Where training looks for class names, in the data folder; other ones are written into the experiment. */
export const LABELS = 'labels.txt';
const SIZES_EXAMINED = 50;

/**
 * Looks for images, scribbles, masks, split lists and class names under their usual names.
 * @throws BadInputError if the folder cannot be read
 */
export async function inspectFolder(root: string): Promise<FolderFindings> {
  const folders = await listFolders(root);
  const named = (name: string) => folders.filter(({ path, files }) => plainName(basename(path)) === name && files.length > 0);
  const imageFolder = IMAGE_NAMES.flatMap(named).at(0) ?? folders.find((folder) => folder.files.some((file) => /\.jpe?g$/i.test(file)));
  const images = imageFolder && (await inspectImages(root, imageFolder));
  const { scribbles, masks } = await findAnnotations(root, folders);
  const isMissing = scribbles === undefined || masks === undefined;
  const used = new Set([imageFolder, scribbles, masks, scribbles?.origin, masks?.origin].flatMap((folder) => folder?.path ?? []));
  return {
    root,
    images,
    scribbles,
    masks,
    unrecognised: isMissing && images !== undefined ? await findUnrecognised(root, folders, images.ids, used) : [],
    train: await findList(root, folders, TRAIN_LISTS),
    val: await findList(root, folders, VAL_LISTS),
    labels: await findLabels(root, folders, [imageFolder, scribbles, masks]),
  };
}

/** The data folder, its sub-folders and theirs. */
async function listFolders(root: string, path = '', depth = 0): Promise<Folder[]> {
  let entries;
  try {
    entries = await readdir(join(root, path), { withFileTypes: true });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const message =
      code === 'ENOTDIR'
        ? 'this is a file; name the folder that holds the images and scribbles'
        : (READING_ADVICE[code] ?? `the folder cannot be read (${code})`);
    throw new BadInputError(message, { file: join(root, path), cause });
  }
  const files: string[] = [];
  const names: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await stat(join(root, path, entry.name))).isDirectory());
    (isFolder ? names : files).push(entry.name);
  }
  if (depth === 2) return [{ path, files }];
  const nested = await Promise.all(names.map((name) => listFolders(root, join(path, name), depth + 1)));
  return [{ path, files }, ...nested.flat()];
}

async function inspectImages(root: string, folder: Folder): Promise<FolderFindings['images']> {
  const files = folder.files.filter((file) => IMAGE_EXTENSIONS.some((extension) => extension === parse(file).ext.toLowerCase()));
  if (files.length === 0) return undefined;
  const stride = Math.max(1, files.length / SIZES_EXAMINED);
  const chosen = Array.from({ length: Math.min(files.length, SIZES_EXAMINED) }, (_, index) => files[Math.floor(index * stride)]);
  const sizes = await Promise.all(chosen.map((file) => readImageSize(join(root, folder.path, file))));
  return {
    path: folder.path === '' ? '.' : folder.path,
    files,
    ids: files.map((file) => parse(file).name),
    medianShortSide: median(sizes.map(({ width, height }) => Math.min(width, height))),
    medianLongSide: median(sizes.map(({ width, height }) => Math.max(width, height))),
  };
}

async function findList(root: string, folders: readonly Folder[], names: readonly string[]): Promise<SplitList | undefined> {
  const places = folders.filter((folder) => folder.path === '' || SPLIT_FOLDERS.includes(plainName(folder.path.split('/')[0])));
  // VOC keeps lists for other tasks beside those for segmentation.
  const ranked = [...places].sort((a, b) => Number(/segmentation/i.test(b.path)) - Number(/segmentation/i.test(a.path)));
  for (const name of names) {
    for (const folder of ranked) {
      if (!folder.files.includes(name)) continue;
      const path = join(folder.path, name);
      const lines = (await readFile(join(root, path), 'utf8')).split('\n');
      return { path, count: lines.filter((line) => line.trim() !== '').length };
    }
  }
  return undefined;
}

/** The labels.txt of the data folder, else one beside the images or annotations, or among them. */
async function findLabels(
  root: string,
  folders: readonly Folder[],
  used: readonly ({ readonly path: string } | undefined)[],
): Promise<FolderFindings['labels']> {
  const paths = used.flatMap((folder) => folder?.path ?? []);
  const places = ['', ...paths.map((path) => join(path, '..').replace(/^\.$/, '')), ...paths];
  const place = places.find((path) => folders.find((folder) => folder.path === path)?.files.includes(LABELS));
  if (place === undefined) return undefined;
  const path = join(place, LABELS);
  return { path, names: parseLabels(await readFile(join(root, path), 'utf8'), join(root, path)) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
