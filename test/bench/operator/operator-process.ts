import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dump } from 'js-yaml';
import { freePort } from '../../cluster/ports.ts';
import type { Program } from '../../cluster/program.ts';
import type { Bench } from './bench.ts';
import { cpuSecondsOf, memoryOf } from './process-usage.ts';
import type { Memory } from './process-usage.ts';
import { sum } from './statistics.ts';

export const TRAINER_IMAGE = 'docker.io/library/cdsp-trainer:test';
/** Node's arguments in the operator's image. */
function nodeArguments(): string[] {
  const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(resolve(import.meta.dirname, '../../../Dockerfile'), 'utf8'))?.[1];
  if (entrypoint === undefined) throw new Error('the Dockerfile has no ENTRYPOINT');
  return (JSON.parse(entrypoint) as string[]).filter((argument) => argument.startsWith('--'));
}

/** How often a start is looked at. */
const POLL_MS = 10;
/** Without a request for so long, it has nothing to do. */
const QUIET_MS = 500;
const PATIENCE_MS = 120_000;

/** The operator as it runs in production: a process of its own, with its own account, configuration and port. */
export interface OperatorProcess {
  readonly identity: string;
  /** On performance.now(): when it was started. */
  readonly startedAt: number;
  readonly program: Program;
  /** Resolves when its caches are filled. @returns milliseconds since its start */
  synced(): Promise<number>;
  /** Resolves when it leads. */
  leading(): Promise<void>;
  memory(): Memory;
  cpuSeconds(): number;
  /** Requests to the API server but watches and those for the lease, by its own count; waits until it asks for nothing more. */
  requests(): Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

async function get(url: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url);
    return { status: response.status, text: await response.text() };
  } catch {
    // It does not listen yet.
    return { status: 0, text: '' };
  }
}

/** Sum of the values of a metric's series whose labels pass. @param text in Prometheus' format */
export function sumOf(text: string, metric: string, passes: (labels: string) => boolean = () => true): number {
  const lines = text.matchAll(new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, 'gm'));
  return sum([...lines].filter(([, labels = '']) => passes(labels)).map(([, , value]) => Number(value)));
}

const isWork = (labels: string) => !/verb="WATCH"|resource="leases"/.test(labels);

/** Starts one. The same identity again is a restarted container, another one is another replica. */
export async function startOperator({ cluster, kubeconfig, entry }: Bench, identity = 'operator-0'): Promise<OperatorProcess> {
  const config = join(cluster.workspace.folder, 'operator.yaml');
  writeFileSync(config, dump({ trainerImage: TRAINER_IMAGE }));
  const port = await freePort();
  const startedAt = performance.now();
  const program = cluster.workspace.start(identity, process.execPath, [...nodeArguments(), entry], {
    KUBECONFIG: kubeconfig,
    CDSP_CONFIG: config,
    POD_NAME: identity,
    POD_NAMESPACE: 'cdsp-system',
    CDSP_PORT: String(port),
  });
  const metrics = async () => (await get(`http://127.0.0.1:${port}/metrics`)).text;
  async function until(what: string, isSo: () => Promise<boolean>): Promise<number> {
    while (!(await Promise.race([isSo(), program.failure]))) {
      if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`${identity} is not ${what}:\n${program.lastLines()}`);
      await delay(POLL_MS);
    }
    return performance.now() - startedAt;
  }
  return {
    identity,
    startedAt,
    program,
    synced: () => until('synced', async () => (await get(`http://127.0.0.1:${port}/readyz`)).status === 200),
    leading: async () => void (await until('leading', async () => sumOf(await metrics(), 'cdsp_operator_leader') === 1)),
    memory: () => memoryOf(program.pid),
    cpuSeconds: () => cpuSecondsOf(program.pid),
    async requests() {
      const count = async () => sumOf(await metrics(), 'cdsp_operator_api_requests_total', isWork);
      for (let last = await count(); ;) {
        await delay(QUIET_MS);
        const next = await count();
        if (next === last) return next;
        last = next;
      }
    },
    stop: (signal) => program.stop(signal),
  };
}
