import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseLabels } from '../../trainer-image/data/dataset.ts';
import { fileSystemError } from '../../trainer-image/file-system-error.ts';

interface ImportPlaces {
  readonly source: string;
  readonly output: string;
  /** Folder of the images, where it is known. */
  readonly images?: string;
}

const FILE = 'labels.txt';

/** The data folder's labels.txt: in the folder that holds both images and output, else beside the output. */
function dataLabels({ output, images }: ImportPlaces): string {
  const beside = dirname(resolve(output));
  const above = dirname(beside);
  const isBelow = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`);
  if (images === undefined || isBelow(resolve(images), beside)) return join(beside, FILE);
  // Elsewhere than in a data folder, names above the output would be nobody's.
  return join(dirname(resolve(images)) === above ? above : beside, FILE);
}

async function readIfThere(file: string): Promise<readonly string[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseLabels(text, file);
}

/** Class names of the labels.txt in the source, beside it, or in the data folder. */
export async function findLabels(places: ImportPlaces): Promise<readonly string[] | undefined> {
  const { source } = places;
  for (const file of [join(source, FILE), join(source, '..', FILE), dataLabels(places)]) {
    const classes = await readIfThere(file);
    if (classes !== undefined) return classes;
  }
  return undefined;
}

export interface WrittenLabels {
  readonly file: string;
  /** Written: there was none. Same: it is there. Different: it names other classes, and stays as it is. */
  readonly state: 'Written' | 'Same' | 'Different';
}

/** Keeps the names of the classes in the data folder, where training looks for them; a file that is there stays. */
export async function keepLabels(places: ImportPlaces, classes: readonly string[]): Promise<WrittenLabels> {
  const file = dataLabels(places);
  const existing = await readIfThere(file);
  if (existing !== undefined) return { file, state: existing.join('\n') === classes.join('\n') ? 'Same' : 'Different' };
  await writeFile(file, classes.map((name, index) => `${index} ${name}\n`).join(''), { flag: 'wx' }).catch((error: unknown) => {
    throw fileSystemError(error, file, null) ?? error;
  });
  return { file, state: 'Written' };
}
