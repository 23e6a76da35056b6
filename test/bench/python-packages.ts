import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../trainer-image/model/weights/imagenet-weights.ts';

/**
 * Puts Python packages that a benchmark compares with into a folder of the cache, once, and returns that folder for PYTHONPATH.
 * @param requirements pinned, such as "numpy==2.4.0"
 */
export function ensurePythonPackages(...requirements: string[]): string {
  const name = requirements.map((requirement) => requirement.replaceAll(/[^\w.]+/g, '-')).join('-');
  return ensureFolder(name, (work) => installPythonPackages(work, requirements));
}

/** A folder `bench-<name>` of the cache; the first time, `fill` fills a temporary sibling that is renamed when complete. */
export function ensureFolder(name: string, fill: (work: string) => void): string {
  const root = cacheFolder();
  const folder = join(root, `bench-${name}`);
  if (existsSync(folder)) return folder;
  mkdirSync(root, { recursive: true });
  const work = mkdtempSync(join(root, 'bench-'));
  try {
    fill(work);
    renameSync(work, folder);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

/** Installs packages into a folder; `options` are further options of pip. */
export function installPythonPackages(folder: string, requirements: readonly string[], options: readonly string[] = []): void {
  console.error(`installing ${requirements.join(', ')} for the comparison`);
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action', 'ignore', ...options];
  execFileSync('python3', [...install, '--target', folder, ...requirements], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Runs a Python program that reads bytes from its standard input and prints one JSON value.
 * @param packages folder from ensurePythonPackages
 */
export function runPython<Result>(program: string, packages: string, input: Uint8Array): Result {
  const output = execFileSync('python3', ['-c', program], {
    input,
    env: { ...process.env, PYTHONPATH: packages, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output.toString()) as Result;
}
