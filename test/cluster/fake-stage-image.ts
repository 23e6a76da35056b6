import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { REPRODUCIBLE, writeImageArchive } from './image-archive.ts';

/** The stage without learning (test/fixtures/fake-stage.ts), for pods. */
export const FAKE_STAGE_IMAGE = 'docker.io/library/cdsp-fake-stage:test';

const FAKE_STAGE = fileURLToPath(new URL('../fixtures/fake-stage.ts', import.meta.url));

/** The shared libraries that a program needs, its loader included. */
const librariesOf = (program: string) =>
  [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file);

/**
 * Writes an archive with an image of Node and the fake stage, and of other names for the same. A layer by hand: no builder is needed, and it is
 * there in seconds.
 */
export async function writeFakeStageImage(archive: string, names: readonly string[] = [FAKE_STAGE_IMAGE]): Promise<void> {
  const root = mkdtempSync(`${archive}.`);
  try {
    await build({
      entryPoints: [FAKE_STAGE],
      outfile: join(root, 'fake-stage.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
    });
    for (const file of librariesOf(process.execPath)) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      copyFileSync(file, join(root, file));
    }
    copyFileSync(process.execPath, join(root, 'node'));
    mkdirSync(join(root, 'tmp'), { mode: 0o1777 });
    const images = names.map((name) => ({ name, command: ['/node', '/fake-stage.mjs'], environment: ['PATH=/'] }));
    writeImageArchive(archive, root, images, ['--mode=a+rX', ...REPRODUCIBLE]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
