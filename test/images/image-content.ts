import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Env: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Labels: Readonly<Record<string, string>>;
}

/** One file, folder or link in one layer of an image. */
export interface ImageEntry {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  /** User and group by number, 0/0. */
  readonly owner: string;
  /** As `ls` shows them: rwxr-xr-x. */
  readonly permissions: string;
  readonly bytes: number;
}

export interface ImageContent {
  readonly config: ImageConfig;
  /** Of all layers: what a later one removes is still passed on with the image. */
  readonly entries: readonly ImageEntry[];
}

interface ArchiveManifest {
  readonly Config: string;
  readonly Layers: readonly string[];
}

const OUTPUT_BYTES = 1 << 26;
const KINDS: Readonly<Record<string, ImageEntry['kind']>> = { '-': 'file', d: 'folder', l: 'link', h: 'link' };

const readMember = (archive: string, member: string) =>
  execFileSync('tar', ['--extract', '--to-stdout', '--file', archive, member], { encoding: 'utf8', maxBuffer: OUTPUT_BYTES });

/** -rwxr-xr-x 0/0 123 2026-01-01 00:00 usr/local/bin/node */
function parseEntry(line: string): ImageEntry {
  const [mode, owner, bytes, , , ...name] = line.split(/ +/);
  const kind = KINDS[mode[0]];
  if (kind === undefined) throw new Error(`an image holds something that is no file, folder or link: ${line}`);
  const path = name.join(' ').split(' -> ')[0].split(' link to ')[0];
  return { path, kind, owner, permissions: mode.slice(1, 10), bytes: Number(bytes) };
}

function readLayer(archive: string, layer: string): ImageEntry[] {
  const list = 'tar --extract --to-stdout --file "$0" "$1" | tar --list --verbose --numeric-owner';
  const text = execFileSync('sh', ['-c', list, archive, layer], { encoding: 'utf8', maxBuffer: OUTPUT_BYTES });
  return text.split('\n').filter(Boolean).map(parseEntry);
}

/** Looks into an archive of the form that `docker save` writes, with one image. */
export function readImage(archive: string): ImageContent {
  const [{ Config, Layers }] = JSON.parse(readMember(archive, 'manifest.json')) as ArchiveManifest[];
  const { config } = JSON.parse(readMember(archive, Config)) as { config: ImageConfig };
  return { config, entries: Layers.flatMap((layer) => readLayer(archive, layer)) };
}

/** What makes or installs programs, or reads commands: an image that serves one purpose has none of them. */
const TOOLS =
  /^(npm|npx|corepack|yarn|pnpm|pip[0-9.]*|python[0-9.]*|gcc|g\+\+|cc|c\+\+|clang|as|ld|make|git|curl|wget|apt|apt-get|dpkg|perl|busybox|sh|bash|dash)$/;
const DEVELOPMENT = /(^|\/)node_modules\/(npm|typescript|eslint|prettier|esbuild|@esbuild|playwright-core|uvu|@types|node|@kubernetes)\//;

/** Paths of an image that only serve to build something or to open a shell. */
export const findTools = (entries: readonly ImageEntry[]): string[] =>
  entries.filter(({ path, kind }) => (kind !== 'folder' && TOOLS.test(basename(path))) || DEVELOPMENT.test(path)).map(({ path }) => path);
