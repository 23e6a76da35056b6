import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { findInstalledProgram } from './node-requirements.ts';

const tar = (...args: string[]) => execFileSync('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] });
/** The same content gives the same bytes. */
export const REPRODUCIBLE = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--sort=name'];
/** By a program, as a layer may be larger than what fits into memory. */
const sha256 = (file: string) => execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);
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

export interface ArchivedImage {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
}

/**
 * Writes images of one layer, all of the same files, in an archive of the form that `docker save` writes. By hand: it is a page of
 * JSON, and needs neither a builder nor its storage.
 * @param tarOptions how the files of `root` are packed
 */
export function writeImageArchive(archive: string, root: string, images: readonly ArchivedImage[], tarOptions: readonly string[]): void {
  const content = mkdtempSync(`${archive}.`);
  try {
    const layerFile = join(content, 'layer.tar');
    tar('--create', '--file', layerFile, '--directory', root, ...tarOptions, '.');
    const layer = sha256(layerFile);
    const manifest = images.map(({ name, command, environment }, index) => {
      const config = {
        architecture: ARCHITECTURES[arch()] ?? arch(),
        os: 'linux',
        created: '1970-01-01T00:00:00Z',
        config: { Env: environment, Cmd: command },
        rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
        history: [{ created: '1970-01-01T00:00:00Z', created_by: 'cdsp test cluster' }],
      };
      writeFileSync(join(content, `config-${index}.json`), JSON.stringify(config));
      return { Config: `config-${index}.json`, RepoTags: [name], Layers: ['layer.tar'] };
    });
    writeFileSync(join(content, 'manifest.json'), JSON.stringify(manifest));
    tar('--create', '--file', archive, '--directory', content, ...REPRODUCIBLE, '.');
  } finally {
    rmSync(content, { recursive: true, force: true });
  }
}

/** Images that hold busybox and nothing else. */
export function writeBusyboxImages(archive: string, images: readonly Omit<ArchivedImage, 'environment'>[]): void {
  const root = mkdtempSync(`${archive}.`);
  try {
    chmodSync(root, 0o755);
    layBusybox(root);
    const withPath = images.map((image) => ({ ...image, environment: ['PATH=/bin'] }));
    writeImageArchive(archive, root, withPath, REPRODUCIBLE);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
