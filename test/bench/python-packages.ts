import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Puts Python packages that a benchmark compares with into a folder of the cache, once, and returns that folder for PYTHONPATH.
 * @param requirements pinned, such as "numpy==2.4.0"
 */
export function ensurePythonPackages(...requirements: string[]): string {
  const root = process.env['CDSP_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'cdsp');
  const folder = join(root, `bench-${requirements.map((requirement) => requirement.replaceAll(/[^\w.]+/g, '-')).join('-')}`);
  if (existsSync(folder)) return folder;
  mkdirSync(root, { recursive: true });
  const work = mkdtempSync(join(root, 'bench-'));
  try {
    console.error(`installing ${requirements.join(', ')} for the comparison`);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action', 'ignore'];
    execFileSync('python3', [...install, '--target', work, ...requirements], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(work, folder);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
  return folder;
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
