import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChartValuesInput } from '../../operator/chart/values.ts';
import { buildImage } from './images.ts';
import type { BuiltImage } from './images.ts';
import type { ControlPlane } from './control-plane.ts';
import type { ClusterNode } from './node.ts';
import { freePort } from './ports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CHART = join(ROOT, 'helm/cdsp');
export const OPERATOR_NAMESPACE = 'cdsp-system';
export const RELEASE = 'cdsp';
export const TRAINER_IMAGE = 'docker.io/library/cdsp-trainer:test';

/** The trainer of this checkout, for processors, as the tests' cluster names it. */
export function buildTrainerImage(say?: (line: string) => void): Promise<BuiltImage> {
  return buildImage({
    name: TRAINER_IMAGE,
    context: ROOT,
    dockerfile: join(ROOT, 'trainer-image/Dockerfile'),
    arguments: { TENSORFLOW: 'cpu' },
    say,
  });
}

/** The images of this checkout, as the tests' cluster names them. */
export async function buildProjectImages(say?: (line: string) => void): Promise<{ operator: BuiltImage; trainer: BuiltImage }> {
  const operator = await buildImage({ name: 'docker.io/library/cdsp-operator:test', context: ROOT, say });
  return { operator, trainer: await buildTrainerImage(say) };
}

/** Brings the project's images to a node. */
export async function importProjectImages(node: ClusterNode, say?: (line: string) => void): Promise<void> {
  const { operator, trainer } = await buildProjectImages(say);
  for (const { archive } of [operator, trainer]) await node.importImages(archive);
}

/** Values with which the chart runs these images on the tests' node, which can pull none. */
export const TEST_VALUES: ChartValuesInput = {
  image: { repository: 'docker.io/library/cdsp-operator', tag: 'test', pullPolicy: 'Never' },
  config: { trainerImage: TRAINER_IMAGE, imagePullPolicy: 'Never' },
};

/** Installs the chart, or upgrades it, and waits until the operator is ready. */
export async function installChart(cluster: ControlPlane, values: ChartValuesInput = TEST_VALUES): Promise<void> {
  const file = join(cluster.workspace.folder, 'values.yaml');
  writeFileSync(file, JSON.stringify(values));
  const place = ['--namespace', OPERATOR_NAMESPACE, '--create-namespace', '--kubeconfig', cluster.kubeconfig];
  await cluster.helm('upgrade', '--install', RELEASE, CHART, ...place, '--values', file, '--wait', '--timeout', '3m');
}

export async function uninstallChart(cluster: ControlPlane): Promise<void> {
  await cluster.helm('uninstall', RELEASE, '--namespace', OPERATOR_NAMESPACE, '--kubeconfig', cluster.kubeconfig, '--wait');
}

const ACCOUNT_TEMPLATES = ['serviceaccount.yaml', 'rbac.yaml', 'user-roles.yaml'];

/** A kubeconfig with the rights that the chart gives the operator, and no others. Other values change the rights of those that it gave before. */
export async function grantOperatorRights(cluster: ControlPlane, values: ChartValuesInput = {}): Promise<string> {
  const given = join(cluster.workspace.folder, 'rights-values.yaml');
  writeFileSync(given, JSON.stringify(values));
  const namespace = await cluster.kubectl('create', 'namespace', OPERATOR_NAMESPACE, '--dry-run=client', '--output', 'yaml');
  const shown = ACCOUNT_TEMPLATES.flatMap((file) => ['--show-only', `templates/${file}`]);
  const file = join(cluster.workspace.folder, 'rights.yaml');
  const account = await cluster.helm('template', RELEASE, CHART, '--namespace', OPERATOR_NAMESPACE, '--values', given, ...shown);
  writeFileSync(file, `${namespace}---\n${account}`);
  await cluster.kubectl('apply', '--server-side', '--filename', file);
  const kubeconfig = await cluster.kubeconfigForServiceAccount(OPERATOR_NAMESPACE, RELEASE);
  // The authorizer learns of bindings by a watch.
  const may = (...request: string[]) =>
    cluster.kubectl('auth', 'can-i', ...request, '--kubeconfig', kubeconfig).then(
      () => true,
      () => false,
    );
  await cluster.waitUntil('the operator’s rights', async () => {
    const rights = await Promise.all([may('list', 'pods', '--all-namespaces'), may('create', 'leases', '--namespace', OPERATOR_NAMESPACE)]);
    return rights.every((has) => has);
  });
  return kubeconfig;
}

/** The operator as a process of this machine, with the chart's rights, beside a cluster whose pods are simulated. */
export async function startOperatorProcess(cluster: ControlPlane): Promise<void> {
  const { workspace } = cluster;
  const config = join(workspace.folder, 'operator.yaml');
  writeFileSync(config, JSON.stringify({ trainerImage: TRAINER_IMAGE }));
  const kubeconfig = await grantOperatorRights(cluster);
  const port = String(await freePort());
  const environment = {
    KUBECONFIG: kubeconfig,
    CDSP_CONFIG: config,
    POD_NAME: 'operator-0',
    POD_NAMESPACE: OPERATOR_NAMESPACE,
    CDSP_PORT: port,
  };
  const program = workspace.start('operator', process.execPath, [join(ROOT, 'operator/main.ts')], environment);
  await program.waitUntil('/readyz', () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
}
