import { readFile } from 'node:fs/promises';
import { basename, join, parse } from 'node:path';
import { inspectMasks, type MaskInspection } from '../../import/inspect-masks.ts';
import { hasStrokes } from '../../import/strokes.ts';

export interface Folder {
  /** Relative to the data folder; '' is the data folder itself. */
  readonly path: string;
  readonly files: readonly string[];
}

/** A folder of annotations; paths are relative to the data folder. */
export interface AnnotationFolder extends MaskInspection {
  readonly path: string;
  /** Image names (without extension) that have a file here. */
  readonly ids: ReadonlySet<string>;
  /** What `cdsp import` made it from, and how many files have come there since. */
  readonly origin?: { readonly path: string; readonly newFiles: number };
}

/** Usual names, the likeliest first; case, dashes and underscores do not count. */
export const ANNOTATION_NAMES = {
  scribbles: ['scribbles', 'scribble', 'scribbleannotation', 'scribbleannotations', 'pascal2012scribble', 'strokes', 'pascalscribble'],
  masks: ['segmentationclass', 'segmentationclassaug', 'masks', 'mask', 'groundtruth', 'gt'],
  /** Scribbles or masks: what is in them tells. */
  either: ['labels', 'label', 'annotations', 'annotation', 'segmentation'],
} as const;

const SUFFIX = '-index';
/** Enough XML files to see whether a folder holds strokes: VOC keeps boxes in such files, some data sets in the same folder. */
const XML_EXAMINED = 20;

/** Where `cdsp import` is told to put the index PNGs of a folder that is not ready; they are looked for there first. */
export const convertedFolder = (path: string): string => `${path}${SUFFIX}`;

/** A folder's name without what does not count. */
export const plainName = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');

const isAnnotation = (file: string) => /\.(png|xml)$/i.test(file);
const idsOf = (folder: Folder) => new Set(folder.files.filter(isAnnotation).map((file) => parse(file).name));

/** Names of annotations that no image has, in order. */
export function unmatched({ ids }: AnnotationFolder, images: readonly string[]): string[] {
  const known = new Set(images);
  return [...ids].filter((id) => !known.has(id)).sort();
}

/** The file of an annotation. */
export const fileName = ({ format }: AnnotationFolder, id: string): string => `${id}.${format === 'Strokes' ? 'xml' : 'png'}`;

/** Folders of other names that hold PNGs or strokes for at least half of their files' names. */
export async function findUnrecognised(
  root: string,
  folders: readonly Folder[],
  images: readonly string[],
  used: ReadonlySet<string>,
): Promise<{ readonly path: string; readonly files: number }[]> {
  const known = new Set(images);
  const found: { path: string; files: number }[] = [];
  for (const folder of folders) {
    const ids = [...idsOf(folder)];
    const files = ids.filter((id) => known.has(id)).length;
    if (used.has(folder.path) || files === 0 || 2 * files < ids.length) continue;
    if (folder.files.some((file) => /\.png$/i.test(file)) || (await holdsStrokes(root, folder))) found.push({ path: folder.path, files });
  }
  return found;
}

/** Finds scribbles and masks under their usual names, and what they were converted into. */
export async function findAnnotations(
  root: string,
  folders: readonly Folder[],
): Promise<{ scribbles?: AnnotationFolder; masks?: AnnotationFolder }> {
  const inspectAll = (names: readonly string[]) =>
    Promise.all(candidates(folders, names).map((folder) => inspectConverted(root, folder, folders)));
  const [scribbles] = await inspectAll(ANNOTATION_NAMES.scribbles);
  const masks = await inspectAll(ANNOTATION_NAMES.masks);
  const isMask = ({ format }: AnnotationFolder) => format !== 'Strokes';
  // Nothing is looked into in vain.
  const either = scribbles !== undefined && masks.some(isMask) ? [] : await inspectAll(ANNOTATION_NAMES.either);
  const others = [...either, ...masks.filter((folder) => !isMask(folder))];
  const areScribbles = await Promise.all(others.map((folder) => isScribbled(root, folder, folders)));
  return {
    scribbles: scribbles ?? others.find((_, index) => areScribbles[index]),
    masks: masks.find(isMask) ?? either.find((folder) => isMask(folder) && !folder.isSparse),
  };
}

/** Folders of these names that hold annotations; a converted one where what it was made from is gone. */
function candidates(folders: readonly Folder[], names: readonly string[]): Folder[] {
  const paths = new Set(folders.map(({ path }) => path));
  const nameOf = ({ path }: Folder) => {
    const original = path.endsWith(SUFFIX) ? path.slice(0, -SUFFIX.length) : path;
    return paths.has(original) && original !== path ? undefined : plainName(basename(original));
  };
  return names.flatMap((name) => folders.filter((folder) => nameOf(folder) === name && folder.files.some(isAnnotation)));
}

/** What is in a folder, or in the one that its files were converted into. */
async function inspectConverted(root: string, folder: Folder, folders: readonly Folder[]): Promise<AnnotationFolder> {
  const converted = folders.find(({ path, files }) => path === convertedFolder(folder.path) && files.some(isAnnotation));
  if (converted !== undefined) {
    const inspection = await inspectMasks(join(root, converted.path));
    const ids = idsOf(converted);
    const newFiles = [...idsOf(folder)].filter((id) => !ids.has(id)).length;
    if (inspection.ready) return { ...inspection, path: converted.path, ids, origin: { path: folder.path, newFiles } };
  }
  return { ...(await inspectMasks(join(root, folder.path))), path: folder.path, ids: idsOf(folder) };
}

/** Whether annotations are scribbles: little is annotated, or XML files hold strokes. */
async function isScribbled(root: string, annotations: AnnotationFolder, folders: readonly Folder[]): Promise<boolean> {
  if (annotations.format !== 'Strokes') return annotations.isSparse;
  const folder = folders.find(({ path }) => path === annotations.path);
  return folder !== undefined && holdsStrokes(root, folder);
}

async function holdsStrokes(root: string, { path, files }: Folder): Promise<boolean> {
  for (const file of files.filter((name) => /\.xml$/i.test(name)).slice(0, XML_EXAMINED)) {
    if (hasStrokes(await readFile(join(root, path, file), 'utf8'))) return true;
  }
  return false;
}
