import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createWorkspace } from '../cluster/cluster-workspace.ts';
import { freePort } from '../cluster/ports.ts';
import type { PodFinder } from './pod-discovery.ts';
import { discoverPods } from './pod-discovery.ts';
import type { PrometheusPrograms } from './programs.ts';
import { queryPrometheus } from './expressions.ts';

export interface ScrapeTarget {
  readonly job: string;
  /** host:port */
  readonly address: string;
  /** As the chart's ServiceMonitor has it: the target's own labels win. */
  readonly honorLabels?: boolean;
  /** What the discovery of services or pods would add. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Pods that are found in a cluster as they come and go, as the chart's monitors have them found. */
export interface DiscoveredPods {
  readonly job: string;
  readonly find: PodFinder;
  readonly honorLabels?: boolean;
}

export interface Prometheus extends AsyncDisposable {
  /** http://127.0.0.1:… */
  readonly url: string;
  /** Values of an expression now. */
  query(expr: string): Promise<number[]>;
  /** Looks again and again until it is so. */
  readonly waitUntil: (what: string, isSo: () => Promise<boolean> | boolean) => Promise<void>;
  /** Waits until every target was scraped so often: a rate needs two. */
  waitForScrapes(count: number): Promise<void>;
  stop(): Promise<void>;
}

const SCRAPE_INTERVAL = '250ms';

/** What the Prometheus operator makes of a PodMonitor's port `metrics`. */
const ofPods = ({ job, honorLabels = false }: DiscoveredPods, file: string): object => ({
  job_name: job,
  honor_labels: honorLabels,
  file_sd_configs: [{ files: [file], refresh_interval: '1s' }],
  relabel_configs: [
    { source_labels: ['__meta_kubernetes_pod_container_port_name'], regex: 'metrics', action: 'keep' },
    { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
    { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
  ],
});

function buildConfig(
  targets: readonly ScrapeTarget[],
  pods: readonly (readonly [pods: DiscoveredPods, file: string])[],
  rules: readonly string[],
): object {
  return {
    global: { scrape_interval: SCRAPE_INTERVAL, scrape_timeout: SCRAPE_INTERVAL, evaluation_interval: SCRAPE_INTERVAL },
    rule_files: rules.map((file) => resolve(file)),
    scrape_configs: [
      ...targets.map(({ job, address, honorLabels = false, labels = {} }) => ({
        job_name: job,
        honor_labels: honorLabels,
        static_configs: [{ targets: [address], labels }],
      })),
      ...pods.map(([found, file]) => ofPods(found, file)),
    ],
  };
}

/** Starts a Prometheus on loopback; its folder and itself go with it, however this process ends. */
export async function startPrometheus(
  { prometheus }: PrometheusPrograms,
  targets: readonly ScrapeTarget[],
  { rules = [], pods = [] }: { readonly rules?: readonly string[]; readonly pods?: readonly DiscoveredPods[] } = {},
): Promise<Prometheus> {
  const workspace = await createWorkspace();
  try {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const config = join(workspace.folder, 'prometheus.yml');
    const found = pods.map((some, index) => [some, join(workspace.folder, `pods-${index}.json`)] as const);
    const discoveries = await Promise.all(found.map(([{ find }, file]) => discoverPods(find, file)));
    const stop = async () => {
      await Promise.all(discoveries.map((discovery) => discovery.stop()));
      await workspace.stop();
    };
    // JSON is YAML.
    writeFileSync(config, JSON.stringify(buildConfig(targets, found, rules)));
    const program = workspace.start('prometheus', prometheus, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(workspace.folder, 'prometheus-data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const isReady = () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await program.waitUntil('Prometheus to be ready', isReady);
    const query = (expr: string) => queryPrometheus(url, expr);
    return {
      url,
      query,
      waitUntil: (what, isSo) => program.waitUntil(what, isSo),
      async waitForScrapes(count) {
        const expr = `count(sum_over_time(up[5m]) >= ${count})`;
        await program.waitUntil(`${count} scrapes of every target`, async () => (await query(expr))[0] === targets.length);
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await workspace.stop();
    throw error;
  }
}
