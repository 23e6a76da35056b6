import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { findInstalledProgram } from './node-requirements.ts';

const tar = (...args: string[]) => execFileSync('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] });
/** The same content gives the same bytes. */
const REPRODUCIBLE = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--sort=name'];
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Busybox with a link for each of its commands, as the root of a file system. */
function layBusybox(root: string): void {
  const busybox = findInstalledProgram('busybox') ?? 'busybox';
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const folder of ['etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(root, folder), { mode: folder === 'tmp' ? 0o1777 : 0o755 });
  copyFileSync(busybox, join(root, 'bin', 'busybox'));
  const commands = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const command of commands) if (command !== 'busybox') symlinkSync('busybox', join(root, 'bin', command));
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/:/bin/sh\n');
}

export interface BusyboxImage {
  readonly name: string;
  readonly command: readonly string[];
}

/**
 * Writes images that hold busybox and nothing else, all in one archive of the form that `docker save` writes. By hand: it is a page
 * of JSON, and needs neither a builder nor its storage.
 */
export function writeBusyboxImages(archive: string, images: readonly BusyboxImage[]): void {
  const work = mkdtempSync(`${archive}.`);
  try {
    const root = join(work, 'root');
    const content = join(work, 'content');
    mkdirSync(content);
    layBusybox(root);
    tar('--create', '--file', join(content, 'layer.tar'), '--directory', root, ...REPRODUCIBLE, '.');
    const layer = createHash('sha256')
      .update(readFileSync(join(content, 'layer.tar')))
      .digest('hex');
    const manifest = images.map(({ name, command }, index) => {
      const config = {
        architecture: ARCHITECTURES[arch()] ?? arch(),
        os: 'linux',
        created: '1970-01-01T00:00:00Z',
        config: { Env: ['PATH=/bin'], Cmd: command },
        rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
        history: [{ created: '1970-01-01T00:00:00Z', created_by: 'cdsp test cluster' }],
      };
      writeFileSync(join(content, `config-${index}.json`), JSON.stringify(config));
      return { Config: `config-${index}.json`, RepoTags: [name], Layers: ['layer.tar'] };
    });
    writeFileSync(join(content, 'manifest.json'), JSON.stringify(manifest));
    tar('--create', '--file', archive, '--directory', content, ...REPRODUCIBLE, '.');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
