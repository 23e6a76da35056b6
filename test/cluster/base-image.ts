import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { alone, removeUnfinished } from './alone.ts';
import { keptFolder } from './binaries.ts';
import { writeImageArchive } from './image-archive.ts';
import { ADMINISTRATOR_PATH, INTERRUPTIBLE } from './node-requirements.ts';

/** The image that the project's own images start from, as their Dockerfiles name it. */
export const BASE_IMAGE = 'docker.io/library/node:24-bookworm-slim';

const DEBIAN = 'bookworm';
const NPM = '11.21.2';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const OUTPUT_BYTES = 1 << 26;
const execute = promisify(execFile);

const run = (command: string, ...args: string[]) =>
  execute(command, args, { maxBuffer: OUTPUT_BYTES, env: { ...process.env, PATH: ADMINISTRATOR_PATH, DEBIAN_FRONTEND: 'noninteractive' } });

/** The first Debian mirror that this machine itself uses, in either of the two notations. */
function findMirror(): string {
  const files = ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*.{list,sources}').sort()].filter((file) =>
    existsSync(file),
  );
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const found = lines
      .map((line) => /^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+\/debian)\/?(?:\s|$)/.exec(line)?.[1])
      .find((mirror) => mirror !== undefined);
    if (found !== undefined) return found;
  }
  throw new Error(`no Debian mirror is named in ${files.join(', ')}; ${BASE_IMAGE} cannot be made`);
}

/** What would only make the image larger. */
const SUPERFLUOUS = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/log'];

async function layRoot(root: string): Promise<void> {
  await run('unshare', ...INTERRUPTIBLE, 'debootstrap', '--variant=minbase', '--include=ca-certificates', DEBIAN, root, findMirror());
  for (const folder of SUPERFLUOUS) {
    rmSync(join(root, folder), { recursive: true, force: true });
    mkdirSync(join(root, folder), { recursive: true });
  }
  // The project's own Node, which the npm package `node` has brought.
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  chmodSync(join(root, 'usr/local/bin/node'), 0o755);
  await run('npm', 'install', '--global', '--prefix', join(root, 'usr/local'), '--no-audit', '--no-fund', `npm@${NPM}`);
  await run('chroot', root, '/usr/sbin/groupadd', '--gid', '1000', 'node');
  await run('chroot', root, '/usr/sbin/useradd', '--uid', '1000', '--gid', 'node', '--shell', '/bin/bash', '--create-home', 'node');
}

/**
 * An archive with a stand-in for the official image: Debian, Node and npm, made from packages. For machines that reach package
 * registries and no image registry. Made once for each version of what is in it.
 */
export async function getBaseImage(say?: (line: string) => void): Promise<string> {
  const content = [DEBIAN, NPM, process.version, process.arch, PATH].join('\0');
  const key = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const folder = join(keptFolder(), `base-image-${key}`);
  const archive = join(folder, 'image.tar');
  const onWait = () => say?.(`test cluster: another process is making ${BASE_IMAGE}; waiting for it`);
  if (existsSync(archive)) return archive;
  await alone(folder, onWait, async () => {
    if (existsSync(archive)) return;
    say?.(`test cluster: making ${BASE_IMAGE} from packages (once; about a minute)`);
    removeUnfinished(archive);
    const unfinished = () => `${archive}.${randomUUID().slice(0, 8)}.unfinished`;
    const [root, work] = [unfinished(), unfinished()];
    try {
      mkdirSync(root, { mode: 0o755 });
      await layRoot(root);
      const image = { name: BASE_IMAGE, command: ['node'], environment: [`PATH=${PATH}`, `NODE_VERSION=${process.versions.node}`] };
      writeImageArchive(work, root, [image], ['--numeric-owner', '--exclude=./dev/*', '--exclude=./proc/*', '--exclude=./sys/*']);
      renameSync(work, archive);
    } finally {
      rmSync(work, { force: true });
      rmSync(root, { recursive: true, force: true });
    }
  });
  return archive;
}
