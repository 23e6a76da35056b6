import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Manifest, StageInput, StageMetrics } from '../operator/api/stage-contract.ts';
import { ARTIFACTS } from './artifacts.ts';
import { writeJson } from './json-file.ts';
import { TRAINER_VERSION } from './version.ts';

/** Working time of earlier attempts, kept beside the artifacts until the manifest holds it. */
const TIME_FILE = 'seconds.json';
/** Files that belong to the run, not to its result. */
const NOT_RESULTS = new Set<string>([ARTIFACTS.manifest, TIME_FILE, 'inputs.json']);

/** Seconds that earlier attempts at this stage worked. */
export function earlierSeconds(output: string): number {
  const file = join(output, TIME_FILE);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0;
}

/** Notes the working time of an attempt that did not finish. */
export function noteSeconds(output: string, seconds: number): void {
  writeJson(join(output, TIME_FILE), seconds);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What an attempt that was killed left behind while it wrote a file. */
const isUnfinished = (name: string) => name.endsWith('.partial') || name.endsWith('.tmp');

const isWithin = (folder: string, path: string) => path === folder || path.startsWith(folder + sep);

/**
 * Completes a stage: lists every artifact with its size and SHA-256 and writes manifest.json by rename. Only then are the checkpoints
 * removed: killed in between, the stage goes on from them.
 */
export async function writeManifest(input: StageInput, metrics: StageMetrics, seconds: number): Promise<void> {
  const { output, stage, key, experiment } = input;
  const checkpoint = join(output, ARTIFACTS.checkpoint);
  const entries = await readdir(output, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !isWithin(checkpoint, entry.parentPath))
    .map((entry) => relative(output, join(entry.parentPath, entry.name)))
    .filter((path) => !NOT_RESULTS.has(path))
    .sort();
  for (const path of paths.filter(isUnfinished)) await rm(join(output, path), { force: true });
  const files: Manifest['files'] = [];
  for (const path of paths.filter((name) => !isUnfinished(name)))
    files.push({ path, size: (await stat(join(output, path))).size, sha256: await sha256(join(output, path)) });
  const manifest: Manifest = { version: 'v1', stage, key, experiment, trainer: TRAINER_VERSION, seconds, metrics, files };
  writeJson(join(output, ARTIFACTS.manifest), manifest);
  await rm(checkpoint, { recursive: true, force: true });
  await rm(join(output, TIME_FILE), { force: true });
}
