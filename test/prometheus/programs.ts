import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { alone, removeUnfinished } from '../cluster/alone.ts';
import { keptFolder } from '../cluster/binaries.ts';
import { findInstalledProgram } from '../cluster/node-requirements.ts';

/** Paths of both programs of Debian's package `prometheus`. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

const PACKAGE = 'prometheus';

const both = (pathOf: (program: string) => string | undefined): PrometheusPrograms | undefined => {
  const [prometheus, promtool] = ['prometheus', 'promtool'].map(pathOf);
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool };
};
const existing = (file: string) => (existsSync(file) ? file : undefined);

function run(cwd: string, command: string, ...args: string[]): void {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')} has failed: ${done.error?.message ?? done.stderr}`);
}

/** The package is unpacked and not installed: installing it would start a server that stays. Nobody has to be root for it either. */
async function unpack(folder: string, say: (line: string) => void): Promise<void> {
  await alone(
    keptFolder(),
    () => say('test cluster: waiting for another process that fetches Prometheus'),
    async () => {
      if (existsSync(folder)) return Promise.resolve();
      removeUnfinished(folder);
      const work = `${folder}.${process.pid}.unfinished`;
      mkdirSync(work, { recursive: true });
      try {
        say(`test cluster: fetching Debian's package ${PACKAGE} (20 MB), once`);
        run(work, 'apt-get', 'download', PACKAGE);
        const [archive] = globSync('*.deb', { cwd: work });
        run(work, 'dpkg-deb', '--extract', archive, '.');
        rmSync(join(work, archive));
        renameSync(work, folder);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    },
  );
}

/**
 * Prometheus and promtool: installed ones, those from the cache, or those of the package, which is fetched and unpacked into the cache.
 * @returns why this machine cannot have them, where it cannot
 */
export async function getPrometheus(say: (line: string) => void = () => {}): Promise<PrometheusPrograms | string> {
  const installed = both(findInstalledProgram);
  if (installed !== undefined) return installed;
  const folder = join(keptFolder(), PACKAGE);
  const kept = () => both((program) => existing(join(folder, 'usr/bin', program)));
  try {
    if (kept() === undefined) await unpack(folder, say);
  } catch (error) {
    return `Prometheus is missing, and Debian's package cannot be fetched (${(error as Error).message}); as root: apt-get update`;
  }
  return kept() ?? `${folder} holds no Prometheus; remove it`;
}
