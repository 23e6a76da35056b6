import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { readJson, writeJson } from '../../trainer-image/json-file.ts';
import { INPUTS_FILE, type FolderContent } from '../../trainer-image/stage-folder.ts';
import type { PlannedStage } from '../plan/plan.ts';
import type { StageInputs } from '../plan/stage-inputs.ts';

/** Folder of a stage's artifacts: `<root>/stages/<stage>/<key>`. */
export function stageFolder(root: string, { name, key }: Pick<PlannedStage, 'name' | 'key'>): string {
  return join(root, 'stages', name, key);
}

/** Parts of the checkpoint that nothing goes on from. */
const NO_CHECKPOINTS: readonly string[] = [ARTIFACTS.unfinished, ARTIFACTS.workingTime];

/** Whether an unfinished stage has kept something to go on from; what was being written when it was killed does not count. */
export async function hasCheckpoint(folder: string): Promise<boolean> {
  const checkpoint = join(folder, ARTIFACTS.checkpoint);
  const entries = await readdir(checkpoint, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return existsSync(checkpoint);
  const isKept = (path: string) => !path.endsWith('.tmp') && !NO_CHECKPOINTS.some((other) => path.startsWith(other + sep));
  return entries.some((entry) => entry.isFile() && isKept(relative(folder, join(entry.parentPath, entry.name))));
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
