import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { StageName } from '../operator/api/experiment.ts';
import { Manifest } from '../operator/api/stage-contract.ts';
import { ARTIFACTS } from './artifacts.ts';
import { readJson } from './json-file.ts';

/** What the stage's key was made of; written beside the manifest by whoever starts the stage. */
export const INPUTS_FILE = 'inputs.json';

/** What is in a stage's folder. */
export type FolderContent =
  | { readonly kind: 'Missing' }
  /** Something is there, but it is not complete. */
  | { readonly kind: 'Unfinished' }
  | { readonly kind: 'Complete'; readonly manifest: Manifest }
  /** There is a manifest, but what it lists is not there as it was written. */
  | { readonly kind: 'Damaged'; readonly files: readonly string[]; readonly message: string };

/** SHA-256 of a file's content, in hexadecimal. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Files of the manifest that are not there with the listed size, or, if `verify`, content. */
async function damagedFiles(folder: string, manifest: Manifest, verify: boolean): Promise<string[]> {
  const damaged: string[] = [];
  for (const { path, size, sha256 } of manifest.files) {
    const file = resolve(folder, path);
    const info = file.startsWith(folder + sep) ? await stat(file).catch(() => undefined) : undefined;
    const fits = info !== undefined && info.isFile() && info.size === size && (!verify || (await sha256OfFile(file)) === sha256);
    if (!fits) damaged.push(path);
  }
  return damaged;
}

/**
 * Looks at a stage's folder. It is complete only if the manifest parses, names this stage and key, and every file is there with the
 * listed size; sizes cost one look-up each, contents are read only if `verify`.
 * @param stage without a key, that of any run of the stage will do
 */
export async function inspectFolder(folder: string, stage: { name: StageName; key?: string }, verify = false): Promise<FolderContent> {
  const entries = await readdir(folder).catch(() => undefined);
  if (entries === undefined) return { kind: 'Missing' };
  if (!entries.includes(ARTIFACTS.manifest)) {
    return { kind: entries.some((entry) => entry !== INPUTS_FILE) ? 'Unfinished' : 'Missing' };
  }
  const { data: manifest } = Manifest.safeParse(readJson(join(folder, ARTIFACTS.manifest)));
  if (manifest === undefined) return { kind: 'Damaged', files: [], message: `${ARTIFACTS.manifest} cannot be read` };
  if (manifest.stage !== stage.name || (stage.key !== undefined && manifest.key !== stage.key)) {
    return { kind: 'Damaged', files: [], message: `${ARTIFACTS.manifest} is that of another stage` };
  }
  const files = await damagedFiles(resolve(folder), manifest, verify);
  if (files.length === 0) return { kind: 'Complete', manifest };
  const names = files.slice(0, 3).join(', ') + (files.length > 3 ? ` and ${files.length - 3} more` : '');
  return { kind: 'Damaged', files, message: `not as the stage left them: ${names}` };
}
