import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, globSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alone, removeUnfinished } from './alone.ts';
import { cacheFolder } from '../../trainer-image/model/weights/imagenet-weights.ts';
import type { Environment } from '../../trainer-image/model/weights/imagenet-weights.ts';

/** What the tests run: the folder of its Go module in tools/, which pins the version, and the package in it. */
const SOURCES = {
  etcd: ['etcd', 'go.etcd.io/etcd/server/v3'],
  'kube-apiserver': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-apiserver'],
  'kube-controller-manager': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-controller-manager'],
  'kube-scheduler': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-scheduler'],
  'kube-proxy': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-proxy'],
  kubectl: ['kubernetes', 'k8s.io/kubernetes/cmd/kubectl'],
  kubelet: ['kubernetes', 'k8s.io/kubernetes/cmd/kubelet'],
  kwok: ['kwok', 'sigs.k8s.io/kwok/cmd/kwok'],
  helm: ['helm', 'helm.sh/helm/v4/cmd/helm'],
  // Argo CD's interpreter and the rules of Flux, each behind a page of Go.
  lua: ['gitops', './lua'],
  kstatus: ['gitops', './kstatus'],
} as const satisfies Record<string, readonly [module: string, source: string]>;

export type ProgramName = keyof typeof SOURCES;
export const PROGRAMS = Object.keys(SOURCES) as ProgramName[];

const TOOLS = fileURLToPath(new URL('./tools', import.meta.url));
/** From this version on, `go` fetches the newer Go that go.mod asks for by itself. */
const OLDEST_GO = 21;

/** This machine cannot have the program; the message says why and what to do. */
export class MissingProgramError extends Error {}

export interface BinaryOptions {
  readonly environment?: Environment;
  readonly say?: (line: string) => void;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Debian's and Go's usual places come after the PATH, which a service or a CI job often has not set. */
function findGo({ PATH = '' }: Environment): string | undefined {
  const folders = [...PATH.split(delimiter), '/usr/local/go/bin', '/usr/lib/go/bin'].filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, 'go')).find(isExecutable);
}

/** Why nothing can be built here, or undefined. */
function whyNotBuilt(environment: Environment): string | undefined {
  if (process.platform !== 'linux') return `a test cluster needs Linux, this is ${process.platform}`;
  const advice = 'install Go from https://go.dev/dl, or set KUBEBUILDER_ASSETS to a folder that holds the programs';
  const go = findGo(environment);
  if (go === undefined) return `Go is missing, which builds the cluster's programs: ${advice}`;
  const version = spawnSync(go, ['env', 'GOVERSION'], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const minor = Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
  return minor < OLDEST_GO ? `Go is too old (${version || go}; 1.${OLDEST_GO} or newer is needed): ${advice}` : undefined;
}

/** The linker's flags. Without a version the API server reports none, and clients and the kubelet complain. */
function linkerFlags(module: string): string {
  if (module !== 'kubernetes') return '-s -w';
  const version = /k8s\.io\/kubernetes v(\S+)/.exec(readFileSync(join(TOOLS, module, 'go.mod'), 'utf8'))?.[1] ?? '';
  const [major, minor] = version.split('.');
  const set = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  return ['-s -w', ...Object.entries(set).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)].join(' ');
}

/** What the harness has made once and keeps, outside the checkout. */
export const keptFolder = (environment: Environment = process.env) => join(cacheFolder(environment), 'test-cluster');

/** Where a module's programs are kept: another version, flag or machine gets another folder. */
function binaryFolder(module: string, environment: Environment): string {
  const hash = createHash('sha256');
  const own = globSync('*/*.go', { cwd: join(TOOLS, module) }).sort();
  for (const file of ['go.mod', 'go.sum', ...own]) hash.update(readFileSync(join(TOOLS, module, file))).update('\0');
  hash.update([linkerFlags(module), process.platform, process.arch, environment.GOARCH ?? ''].join('\0'));
  return join(keptFolder(environment), `${module}-${hash.digest('hex').slice(0, 16)}`);
}

/** An installation that is there already: the conventions of controller-runtime's envtest. */
function findInstalled(program: ProgramName, environment: Environment): string | undefined {
  const named = environment[`TEST_ASSET_${program.toUpperCase().replaceAll('-', '_')}`];
  if (named) {
    if (isExecutable(named)) return named;
    throw new MissingProgramError(`${named} is named for ${program} and cannot be run`);
  }
  const assets = environment.KUBEBUILDER_ASSETS;
  const inAssets = assets ? join(assets, program) : undefined;
  return inAssets !== undefined && isExecutable(inAssets) ? inAssets : undefined;
}

/** The program where it is at hand without building it. */
export function findProgram(program: ProgramName, environment: Environment = process.env): string | undefined {
  const cached = join(binaryFolder(SOURCES[program][0], environment), program);
  return findInstalled(program, environment) ?? (isExecutable(cached) ? cached : undefined);
}

/** Why the program cannot be had here, or undefined where it is there or can be built. */
export function whyMissing(program: ProgramName, environment: Environment = process.env): string | undefined {
  return findProgram(program, environment) === undefined ? whyNotBuilt(environment) : undefined;
}

function runGo(module: string, args: readonly string[], environment: Environment): Promise<void> {
  const go = findGo(environment) ?? 'go';
  const child = spawn(go, args, {
    cwd: join(TOOLS, module),
    env: { ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`go ${args.join(' ')} has failed:\n${output}`))));
  });
}

/** Builds into a temporary name, so that a build that was ended is never taken for a program. */
async function build(program: ProgramName, file: string, { environment = process.env, say }: BinaryOptions): Promise<void> {
  const [module, source] = SOURCES[program];
  const started = performance.now();
  say?.(`test cluster: building ${program} from source, once (all of them: ten minutes on two cores)`);
  removeUnfinished(file);
  const work = `${file}.${randomUUID().slice(0, 8)}.unfinished`;
  try {
    await runGo(module, ['build', '-ldflags', linkerFlags(module), '-o', work, source], environment);
    renameSync(work, file);
  } finally {
    rmSync(work, { force: true });
  }
  say?.(`test cluster: ${program} built in ${Math.round((performance.now() - started) / 1000)} s`);
}

/**
 * The path of a program: one that is installed (TEST_ASSET_<NAME>, KUBEBUILDER_ASSETS), one from the cache, or one that is built
 * now. Where another process is building it, that one's result is waited for.
 * @throws MissingProgramError where this machine can neither find nor build it
 */
export async function getProgram(program: ProgramName, options: BinaryOptions = {}): Promise<string> {
  const { environment = process.env, say } = options;
  const found = findProgram(program, environment);
  if (found !== undefined) return found;
  const reason = whyNotBuilt(environment);
  if (reason !== undefined) throw new MissingProgramError(reason);
  const folder = binaryFolder(SOURCES[program][0], environment);
  const file = join(folder, program);
  const onWait = () => say?.(`test cluster: another process is building ${program}; waiting for it`);
  await alone(folder, onWait, async () => {
    if (!existsSync(file)) await build(program, file, options);
  });
  return file;
}

/** The paths of several programs, built one after the other: each build uses all cores. */
export async function getPrograms<Name extends ProgramName>(
  names: readonly Name[],
  options?: BinaryOptions,
): Promise<Record<Name, string>> {
  const entries: [Name, string][] = [];
  for (const name of names) entries.push([name, await getProgram(name, options)]);
  return Object.fromEntries(entries) as Record<Name, string>;
}
