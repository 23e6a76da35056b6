import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { BadInputError } from '../../../trainer-image/errors.ts';

/** Calls back with a new folder that holds the files (path → content) and removes it afterwards. */
export async function withFolder<Result>(
  files: Readonly<Record<string, string | Uint8Array>>,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'cdsp-import-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Encodes a picture: 1 sample a pixel is grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
export function png(width: number, samples: readonly number[], channels: 1 | 2 | 3 | 4): Uint8Array {
  return encode({ width, height: samples.length / channels / width, data: Uint8Array.from(samples), channels, depth: 8 });
}

/** The error that a promise ends with; anything but a BadInputError fails. */
export async function badInput(promise: Promise<unknown>): Promise<BadInputError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof BadInputError) return error;
    throw error;
  }
  throw new Error('no error');
}
