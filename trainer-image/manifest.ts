import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { StageMetrics, type Manifest, type StageInput } from '../operator/api/stage-contract.ts';
import { ARTIFACTS } from './artifacts.ts';
import { writeJson } from './json-file.ts';
import { INPUTS_FILE, inspectFolder, sha256OfFile } from './stage-folder.ts';
import { TRAINER_VERSION } from './version.ts';

/** Files that belong to the run, not to its result. */
const NOT_RESULTS = new Set<string>([ARTIFACTS.manifest, INPUTS_FILE]);

/** What an attempt that was killed left behind while it wrote a file. */
const isUnfinished = (name: string) => name.endsWith('.partial') || name.endsWith('.tmp');

/** A checkpoint folder that is being removed. */
const isRemoved = (name: string) => name.startsWith(`${ARTIFACTS.checkpoint}.`) && name.endsWith('.tmp');

/** Paths of the files in a stage's folder that are not in its checkpoint. */
async function listFiles(output: string): Promise<string[]> {
  const isCheckpoint = (path: string) => [path.split(sep)[0]].some((name) => name === ARTIFACTS.checkpoint || isRemoved(name));
  const entries = await readdir(output, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(output, join(entry.parentPath, entry.name)))
    .filter((path) => !NOT_RESULTS.has(path) && !isCheckpoint(path));
}

/**
 * Completes a stage: lists every artifact with its size and SHA-256 and writes manifest.json by rename. Only then is the checkpoint
 * removed: killed in between, the stage goes on from it.
 */
export async function writeManifest(input: StageInput, metrics: StageMetrics, seconds: number): Promise<void> {
  const { output, stage, key, experiment } = input;
  // Twice: another process of the stage may put the same file in the place of one, which some file systems leave out of a list just then.
  const paths = [...new Set([...(await listFiles(output)), ...(await listFiles(output))])].sort();
  for (const path of paths.filter(isUnfinished)) await rm(join(output, path), { force: true });
  const files: Manifest['files'] = [];
  for (const path of paths.filter((name) => !isUnfinished(name)))
    files.push({ path, size: (await stat(join(output, path))).size, sha256: await sha256OfFile(join(output, path)) });
  const manifest: Manifest = { version: 'v1', stage, key, experiment, trainer: TRAINER_VERSION, seconds, metrics, files };
  const unfinished = join(output, ARTIFACTS.unfinished);
  writeJson(join(output, ARTIFACTS.manifest), manifest, existsSync(unfinished) ? unfinished : undefined);
  await removeCheckpoint(output);
}

/**
 * Removes what a complete stage does not need any more. In one step, as others see it: a process that is still at work on the stage finds
 * its folders gone and can put nothing into them. What cannot be removed harms nobody.
 */
async function removeCheckpoint(output: string): Promise<void> {
  const checkpoint = join(output, ARTIFACTS.checkpoint);
  await rename(checkpoint, `${checkpoint}.${randomUUID()}.tmp`).catch(() => undefined);
  // Also those of a process that was killed on its way.
  const names = (await readdir(output).catch(() => [])).filter(isRemoved);
  for (const name of names) await rm(join(output, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

/** Takes a manifest back that does not hold. Another process may have written a good one meanwhile, which stays. */
async function retractManifest(output: string, text: string | undefined): Promise<void> {
  const manifest = join(output, ARTIFACTS.manifest);
  const aside = `${manifest}.${randomUUID()}.tmp`;
  try {
    await rename(manifest, aside);
    if ((await readFile(aside, 'utf8')) === text) await rm(aside);
    else await rename(aside, manifest);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * The result of a stage that is complete already, by its manifest: the metrics and `reused`. Undefined where it has to run; a manifest that
 * does not hold is taken back then.
 * @param onDamage is told what is wrong with a manifest
 */
export async function reusableResult(
  { output, stage, key }: StageInput,
  onDamage: (message: string) => void = () => {},
): Promise<StageMetrics | undefined> {
  const text = await readFile(join(output, ARTIFACTS.manifest), 'utf8').catch(() => undefined);
  const content = await inspectFolder(output, { name: stage, key });
  if (content.kind === 'Damaged') {
    onDamage(content.message);
    await retractManifest(output, text);
  }
  if (content.kind !== 'Complete') return undefined;
  await removeCheckpoint(output);
  return { ...StageMetrics.safeParse(content.manifest.metrics).data, reused: true };
}
