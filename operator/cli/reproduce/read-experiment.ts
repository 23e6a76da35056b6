import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { nearestName } from '../../api/suggestions.ts';
import { Cluster, isStatus } from '../../controller/cluster.ts';
import { experimentsPath } from '../../controller/resource-paths.ts';
import { UsageError } from '../usage-error.ts';

export interface ClusterOptions {
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
}

/** @throws BadInputError where there is no kubeconfig or it cannot be read, UsageError for a context that it does not have */
function loadKubeconfig({ kubeconfig, context }: ClusterOptions): KubeConfig {
  const config = new KubeConfig();
  const { KUBECONFIG: named = '', KUBERNETES_SERVICE_HOST: host } = process.env;
  const usual = join(homedir(), '.kube', 'config');
  if (kubeconfig === undefined && named === '' && host === undefined && !existsSync(usual)) {
    const message = 'no kubeconfig there; name one with --kubeconfig or KUBECONFIG, or an experiment’s own file with --file';
    throw new BadInputError(message, { file: usual });
  }
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BadInputError(`is no kubeconfig that can be read: ${reason}`, { file: kubeconfig ?? (named || usual), cause });
  }
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context))
      throw new UsageError('--context', `the kubeconfig has no ${context}; it has ${names.join(', ') || 'none'}`);
    config.setCurrentContext(context);
  }
  return config;
}

const SHOWN = 20;

/** What there is in place of a name that is not; empty where that may not be asked. */
function otherNames(name: string, names: readonly string[]): string {
  if (names.length === 0) return '; there is none in this namespace, choose another with --namespace';
  const near = nearestName(name, names);
  if (near !== undefined) return `; did you mean ${near}?`;
  return `; there are: ${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ' …' : ''}`;
}

/** Why there is no such experiment, for people. */
async function explainMissing(cluster: Cluster, namespace: string, name: string): Promise<string> {
  try {
    const { items } = await cluster.list(experimentsPath(namespace), { limit: 500 });
    const names = items.map(({ metadata }) => metadata?.name ?? '');
    return `no experiment of this name${otherNames(name, names)}`;
  } catch (error) {
    if (isStatus(error, 404)) return 'the cluster does not serve experiments; is the operator installed there?';
    if (isStatus(error, 403)) return 'no experiment of this name';
    throw error;
  }
}

/** What a person can do about an answer of the API server; other errors are left as they are. */
async function explain(error: unknown, cluster: Cluster, namespace: string, name: string): Promise<unknown> {
  const where = { file: `${namespace}/${name}`, cause: error };
  if (isStatus(error, 404)) return new BadInputError(await explainMissing(cluster, namespace, name), where);
  if (isStatus(error, 401, 403)) {
    const advice = 'it takes the right to get cdspexperiments.cdsp.dev in this namespace';
    return new BadInputError(`the cluster does not let you read it: ${error.message}; ${advice}`, where);
  }
  if (error instanceof Error && 'code' in error) return new BadInputError(`the cluster does not answer: ${error.message}`, where);
  return error;
}

/**
 * An experiment from the cluster of the kubeconfig.
 * @throws BadInputError where it cannot be had, with what to do
 */
export async function readFromCluster(name: string, options: ClusterOptions): Promise<{ object: unknown; source: string }> {
  const config = loadKubeconfig(options);
  const namespace = options.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const cluster = new Cluster(config);
  try {
    const object: unknown = await cluster.get(`${experimentsPath(encodeURIComponent(namespace))}/${encodeURIComponent(name)}`);
    return { object, source: `${namespace}/${name}` };
  } catch (error) {
    throw await explain(error, cluster, namespace, name);
  } finally {
    cluster.close();
  }
}
