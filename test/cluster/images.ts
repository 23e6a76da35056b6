import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BASE_IMAGE, getBaseImage } from './base-image.ts';
import { keptFolder } from './binaries.ts';
import { ADMINISTRATOR_PATH, INTERRUPTIBLE } from './node-requirements.ts';

export interface ImageOptions {
  /** As pods name it: `docker.io/library/cdsp-operator:test`. */
  readonly name: string;
  readonly context: string;
  /** Default: Dockerfile in the context. */
  readonly dockerfile?: string;
  readonly target?: string;
  readonly arguments?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
}

export interface BuiltImage {
  readonly name: string;
  /** sha256 of the image's configuration, which names the image whatever its tag. */
  readonly id: string;
  /** For ClusterNode.importImages. */
  readonly archive: string;
}

const OUTPUT_BYTES = 1 << 26;
const DAY_MS = 86_400_000;
const SHOWN_CHARACTERS = 4000;
const execute = promisify(execFile);
const environment = { ...process.env, PATH: ADMINISTRATOR_PATH, BUILDAH_ISOLATION: 'chroot' };
const containers = () => join(keptFolder(), 'containers');

/** Where layers are kept: an overlay where the file system can carry one, else whole copies. */
function storageArguments(): string[] {
  const argumentsFor = (driver: string) => [
    ...['--root', join(containers(), driver), '--runroot', join(containers(), `${driver}-run`), '--storage-driver', driver],
  ];
  const works =
    spawnSync('unshare', [...INTERRUPTIBLE, 'buildah', ...argumentsFor('overlay'), 'info'], { env: environment, stdio: 'ignore' })
      .status === 0;
  return argumentsFor(works ? 'overlay' : 'vfs');
}

async function buildah(storage: readonly string[], ...args: string[]): Promise<string> {
  try {
    return (
      await execute('unshare', [...INTERRUPTIBLE, 'buildah', ...storage, ...args], { maxBuffer: OUTPUT_BYTES, env: environment })
    ).stdout.trim();
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`buildah ${args[0]} has failed:\n${`${stdout}\n${stderr}`.trim().slice(-SHOWN_CHARACTERS)}`, { cause });
  }
}

async function ensureBase(storage: readonly string[], say: ImageOptions['say']): Promise<void> {
  const has = spawnSync('unshare', [...INTERRUPTIBLE, 'buildah', ...storage, 'inspect', '--type', 'image', BASE_IMAGE], {
    env: environment,
    stdio: 'ignore',
  });
  if (has.status !== 0) await buildah(storage, 'pull', `docker-archive:${await getBaseImage(say)}`);
}

/** Where Debian keeps all certificates that a machine trusts. */
const SYSTEM_CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Behind a private certificate authority the registries are trusted by it alone: the build sees this machine's certificates, those that npm and pip
 * are told of, else those of the system, which npm's own configuration may name.
 */
function certificateArguments(): string[] {
  const system = existsSync(SYSTEM_CERTIFICATES) ? SYSTEM_CERTIFICATES : undefined;
  const { NODE_EXTRA_CA_CERTS = system, PIP_CERT = system } = process.env;
  const files = Object.entries({ NODE_EXTRA_CA_CERTS, PIP_CERT }).flatMap(([name, file]) =>
    file ? [{ name, folder: dirname(file), file }] : [],
  );
  const folders = new Set(files.map(({ folder }) => folder));
  return [
    ...[...folders].flatMap((folder) => ['--volume', `${folder}:${folder}:ro`]),
    ...files.flatMap(({ name, file }) => ['--build-arg', `${name}=${file}`]),
  ];
}

/** Images that nobody has asked for since yesterday. Another process may be reading a newer one. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > DAY_MS) rmSync(file, { force: true });
  }
}

/**
 * Builds a Dockerfile as it is, without a container engine: buildah runs its commands in a chroot. Layers are kept outside the checkout, so
 * that what has not changed is not built again.
 */
export async function buildImage(options: ImageOptions): Promise<BuiltImage> {
  const { name, context, dockerfile = join(context, 'Dockerfile'), target, say } = options;
  mkdirSync(containers(), { recursive: true });
  const storage = storageArguments();
  await ensureBase(storage, say);
  say?.(`test cluster: building ${name}`);
  const started = performance.now();
  const args = Object.entries(options.arguments ?? {}).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  const choice = target === undefined ? [] : ['--target', target];
  const common = ['--pull-never', '--layers', '--force-rm', '--format', 'docker', '--tag', name, '--file', dockerfile];
  await buildah(storage, 'build', ...common, ...certificateArguments(), ...args, ...choice, context);
  const id = await buildah(storage, 'inspect', '--type', 'image', '--format', '{{.FromImageID}}', name);

  const folder = join(keptFolder(), 'images', createHash('sha256').update(name).digest('hex').slice(0, 16));
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, `${id}.tar`);
  if (!existsSync(archive)) {
    removeOld(folder);
    const work = join(folder, `${randomUUID()}.unfinished`);
    try {
      await buildah(storage, 'push', name, `docker-archive:${work}:${name}`);
      renameSync(work, archive);
    } finally {
      rmSync(work, { force: true });
    }
  }
  say?.(`test cluster: ${name} built in ${Math.round((performance.now() - started) / 1000)} s`);
  return { name, id, archive };
}
