// Debian's Prometheus is built without the discovery of Kubernetes pods: this one asks the API server instead, and hands over what it finds,
// with the labels of Prometheus' own discovery, in a file that Prometheus watches.
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';

/** What is read of a pod. */
interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly containers: readonly { readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[] }[];
  };
  readonly status?: { readonly podIP?: string; readonly phase?: string };
}

/** Lists the pods that are to be scraped now. */
export type PodFinder = () => Promise<readonly Pod[]>;

const INTERVAL_MS = 500;

/** Every port of pods that have an address and have not ended, in the format of `file_sd_configs`. */
export function toTargets(pods: readonly Pod[]): object[] {
  return pods.flatMap(({ metadata, spec, status }) => {
    const { podIP, phase } = status ?? {};
    if (podIP === undefined || phase === 'Succeeded' || phase === 'Failed') return [];
    return spec.containers.flatMap(({ ports = [] }) =>
      ports.map(({ name, containerPort }) => ({
        targets: [`${podIP}:${containerPort}`],
        labels: {
          __meta_kubernetes_namespace: metadata.namespace,
          __meta_kubernetes_pod_name: metadata.name,
          __meta_kubernetes_pod_container_port_name: name ?? '',
        },
      })),
    );
  });
}

/**
 * Keeps a file of targets up to date until it is stopped. An API server that does not answer leaves the file as it is, as Prometheus' own
 * discovery would.
 */
export async function discoverPods(find: PodFinder, file: string): Promise<{ stop(): Promise<void> }> {
  const write = async () => {
    const targets = toTargets(await find());
    writeFileSync(`${file}.new`, JSON.stringify(targets));
    renameSync(`${file}.new`, file);
  };
  await write();
  const ended = new AbortController();
  const running = (async () => {
    while (!ended.signal.aborted) {
      await after(INTERVAL_MS, undefined, { signal: ended.signal }).catch(() => {});
      if (!ended.signal.aborted) await write().catch(() => {});
    }
  })();
  return {
    stop() {
      ended.abort();
      return running;
    },
  };
}
