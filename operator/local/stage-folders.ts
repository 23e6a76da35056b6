import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { readJson, writeJson } from '../../trainer-image/json-file.ts';
import type { StageName } from '../api/experiment.ts';
import { Manifest } from '../api/stage-contract.ts';
import type { PlannedStage } from '../plan/plan.ts';
import type { StageInputs } from '../plan/stage-inputs.ts';

/** What the stage's key was made of, beside the manifest, so that a later plan can say what changed. */
const INPUTS_FILE = 'inputs.json';

/** Folder of a stage's artifacts: `<root>/stages/<stage>/<key>`. */
export function stageFolder(root: string, { name, key }: Pick<PlannedStage, 'name' | 'key'>): string {
  return join(root, 'stages', name, key);
}

/** What is in a stage's folder. */
export type FolderContent =
  | { readonly kind: 'Missing' }
  /** Something is there, but it is not complete. */
  | { readonly kind: 'Unfinished' }
  | { readonly kind: 'Complete'; readonly manifest: Manifest }
  /** There is a manifest, but what it lists is not there as it was written. */
  | { readonly kind: 'Damaged'; readonly files: readonly string[]; readonly message: string };

/** Whether an unfinished stage has kept something to go on from; what was being written when it was killed does not count. */
export async function hasCheckpoint(folder: string): Promise<boolean> {
  const checkpoint = join(folder, ARTIFACTS.checkpoint);
  const files = await readdir(checkpoint).catch(() => undefined);
  return files === undefined ? existsSync(checkpoint) : files.some((file) => !file.endsWith('.tmp'));
}

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
 */
export async function inspectFolder(folder: string, stage: { name: StageName; key: string }, verify = false): Promise<FolderContent> {
  const entries = await readdir(folder).catch(() => undefined);
  if (entries === undefined) return { kind: 'Missing' };
  if (!entries.includes(ARTIFACTS.manifest)) {
    return { kind: entries.some((entry) => entry !== INPUTS_FILE) ? 'Unfinished' : 'Missing' };
  }
  const { data: manifest } = Manifest.safeParse(readJson(join(folder, ARTIFACTS.manifest)));
  if (manifest === undefined) return { kind: 'Damaged', files: [], message: `${ARTIFACTS.manifest} cannot be read` };
  if (manifest.key !== stage.key || manifest.stage !== stage.name) {
    return { kind: 'Damaged', files: [], message: `${ARTIFACTS.manifest} is that of another stage` };
  }
  const files = await damagedFiles(resolve(folder), manifest, verify);
  if (files.length === 0) return { kind: 'Complete', manifest };
  const names = files.slice(0, 3).join(', ') + (files.length > 3 ? ` and ${files.length - 3} more` : '');
  return { kind: 'Damaged', files, message: `not as the stage left them: ${names}` };
}

/**
 * Makes a folder ready for an attempt: the inputs are noted; of damaged content the manifest goes first, then the files that
 * are not what it says, so that the stage writes them again and keeps what is good.
 */
export async function prepareFolder(folder: string, stage: PlannedStage, content: FolderContent): Promise<void> {
  if (content.kind === 'Damaged') {
    await rm(join(folder, ARTIFACTS.manifest), { force: true });
    for (const path of content.files) {
      const file = resolve(folder, path);
      if (file.startsWith(resolve(folder) + sep)) await rm(file, { force: true, recursive: true });
    }
  }
  writeJson(join(folder, INPUTS_FILE), stage.inputs);
}

/** Inputs of a stage as it was run, or undefined where they are not known. */
export function readInputs(folder: string): StageInputs | undefined {
  const inputs = readJson(join(folder, INPUTS_FILE));
  return typeof inputs === 'object' && inputs !== null ? (inputs as StageInputs) : undefined;
}
