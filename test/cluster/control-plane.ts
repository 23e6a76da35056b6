import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createApiClient } from './api-client.ts';
import type { ApiClient } from './api-client.ts';
import { apiServerArgs, auditLogOf } from './api-server.ts';
import { getPrograms } from './binaries.ts';
import { createCertificateAuthority } from './certificates.ts';
import type { CertificateAuthority, Identity } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createNetwork } from './network.ts';
import type { ClusterNetwork } from './network.ts';
import { freePort } from './ports.ts';
import type { Program } from './program.ts';
import { createWorkspace } from './workspace.ts';
import type { Workspace } from './workspace.ts';

export interface ControlPlaneOptions {
  /** With the controllers of Jobs, garbage, namespaces and so on, and the scheduler. Without them this is the API and nothing else. */
  readonly controllers?: boolean;
  /** A network that nodes can join; needs root. Without one the API server is on the loopback interface only. */
  readonly network?: boolean;
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** An audit.k8s.io/v1 Policy; the API server then writes the file `auditLog`. */
  readonly auditPolicy?: unknown;
  /** Further arguments; they come last and so win. */
  readonly apiServerArgs?: readonly string[];
  readonly controllerManagerArgs?: readonly string[];
  readonly schedulerArgs?: readonly string[];
  /** Told what is being built, where something has to be. */
  readonly say?: (line: string) => void;
}

export interface ControlPlane extends AsyncDisposable {
  readonly workspace: Workspace;
  readonly network?: ClusterNetwork;
  readonly authority: CertificateAuthority;
  readonly featureGates: Readonly<Record<string, boolean>>;
  /** https://… */
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly auditLog?: string;
  /** As the administrator. */
  readonly client: ApiClient;
  /** What runs, for signals, logs and memory. */
  readonly etcd: Program;
  readonly apiServer: Program;
  readonly controllerManager?: Program;
  readonly scheduler?: Program;
  /** Standard output of kubectl as the administrator, or as the owner of another kubeconfig by `--kubeconfig`. */
  kubectl(...args: string[]): Promise<string>;
  /** A kubeconfig for a user of any name and groups; RBAC says what it may do. */
  kubeconfigFor(identity: Identity): string;
  /** The account has to exist. */
  kubeconfigForServiceAccount(namespace: string, name: string): Promise<string>;
  /** Ends the API server, at once by default. What it had stored is kept. */
  stopApiServer(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, and waits until it is ready. */
  startApiServer(): Promise<void>;
  restartApiServer(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

const execute = promisify(execFile);
const OUTPUT_BYTES = 1 << 26;

const featureArgs = (gates: Readonly<Record<string, boolean>>) =>
  Object.entries(gates).map(([name, isOn]) => `--feature-gates=${name}=${isOn}`);

function writeServiceAccountKey(folder: string): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = join(folder, 'service-accounts.key');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

async function startEtcd(workspace: Workspace, binary: string): Promise<{ etcd: Program; url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const etcd = workspace.start('etcd', binary, [
    `--data-dir=${join(workspace.folder, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // Its data end with the cluster.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ]);
  await etcd.waitUntil('its health', () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return { etcd, url };
}

/** Names the kubeconfig of one part of the control plane. */
type KubeconfigFor = (name: string, user: string) => string;

async function startControllerManager(
  workspace: Workspace,
  binary: string,
  {
    authority,
    serviceAccountKey,
    kubeconfigFor,
    args,
  }: { authority: CertificateAuthority; serviceAccountKey: string; kubeconfigFor: KubeconfigFor; args: readonly string[] },
): Promise<Program> {
  const kubeconfig = kubeconfigFor('kube-controller-manager', 'system:kube-controller-manager');
  return workspace.start('kube-controller-manager', binary, [
    `--kubeconfig=${kubeconfig}`,
    `--secure-port=${await freePort()}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${workspace.folder}`,
    '--leader-elect=false',
    '--use-service-account-credentials',
    `--service-account-private-key-file=${serviceAccountKey}`,
    `--root-ca-file=${authority.certificate}`,
    ...args,
  ]);
}

async function startScheduler(
  workspace: Workspace,
  binary: string,
  kubeconfigFor: KubeconfigFor,
  args: readonly string[],
): Promise<Program> {
  const kubeconfig = kubeconfigFor('kube-scheduler', 'system:kube-scheduler');
  return workspace.start('kube-scheduler', binary, [
    `--kubeconfig=${kubeconfig}`,
    `--secure-port=${await freePort()}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${workspace.folder}`,
    '--leader-elect=false',
    ...args,
  ]);
}

/** Starts everything in a workspace that is there already. */
async function startIn(workspace: Workspace, options: ControlPlaneOptions): Promise<ControlPlane> {
  const { controllers = false, featureGates = {}, say } = options;
  const { folder } = workspace;
  const binaries = await getPrograms(['etcd', 'kube-apiserver', 'kubectl'], { say });
  const controllerBinaries = controllers ? await getPrograms(['kube-controller-manager', 'kube-scheduler'], { say }) : undefined;
  const network = options.network ? createNetwork(workspace.id) : undefined;
  const address = network?.hostAddress ?? '127.0.0.1';
  const port = await freePort(address);
  const server = `https://${address}:${port}`;
  const authority = createCertificateAuthority(join(folder, 'certificates'));
  const serviceAccountKey = writeServiceAccountKey(folder);
  const gates = featureArgs(featureGates);

  let issued = 0;
  const kubeconfigOf = (name: string, identity: Identity) =>
    writeKubeconfig(join(folder, `${name}.kubeconfig`), {
      server,
      authority: authority.certificate,
      credentials: authority.issueClient(name, identity),
    });
  const administrator = authority.issueClient('admin', { user: 'admin', groups: ['system:masters'] });
  const kubeconfig = writeKubeconfig(join(folder, 'admin.kubeconfig'), {
    server,
    authority: authority.certificate,
    credentials: administrator,
  });
  const client = createApiClient(server, authority.certificate, administrator);

  const { etcd, url } = await startEtcd(workspace, binaries.etcd);
  const settings = {
    folder,
    etcd: url,
    address,
    port,
    authority,
    serviceAccountKey,
    controllers,
    reachable: network !== undefined,
    auditPolicy: options.auditPolicy,
  };
  const serverArgs = [...apiServerArgs(settings), ...gates, ...(options.apiServerArgs ?? [])];
  let apiServer: Program;
  async function startApiServer(): Promise<void> {
    apiServer = workspace.start('kube-apiserver', binaries['kube-apiserver'], serverArgs);
    await apiServer.waitUntil('/readyz', () =>
      client.request('GET', '/readyz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  }
  async function stopApiServer(signal?: NodeJS.Signals): Promise<void> {
    client.close();
    await apiServer.stop(signal);
  }
  await startApiServer();

  let controllerManager: Program | undefined;
  let scheduler: Program | undefined;
  if (controllerBinaries !== undefined) {
    const kubeconfigFor: KubeconfigFor = (name, user) => kubeconfigOf(name, { user });
    scheduler = await startScheduler(workspace, controllerBinaries['kube-scheduler'], kubeconfigFor, [
      ...gates,
      ...(options.schedulerArgs ?? []),
    ]);
    controllerManager = await startControllerManager(workspace, controllerBinaries['kube-controller-manager'], {
      authority,
      serviceAccountKey,
      kubeconfigFor,
      args: [...gates, ...(options.controllerManagerArgs ?? [])],
    });
    // No pod is taken before its namespace has one.
    await controllerManager.waitUntil('the default service account', async () => {
      const { status } = await client.request('GET', '/api/v1/namespaces/default/serviceaccounts/default');
      return status === 200;
    });
  }

  return {
    workspace,
    network,
    authority,
    featureGates,
    server,
    kubeconfig,
    auditLog: auditLogOf(settings),
    client,
    etcd,
    get apiServer() {
      return apiServer;
    },
    controllerManager,
    scheduler,
    async kubectl(...args) {
      // What follows `--` is a command for a container.
      const own = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).some((arg) => arg.startsWith('--kubeconfig'));
      const all = own ? args : ['--kubeconfig', kubeconfig, ...args];
      // Its cache of what the server offers would be kept in the home folder.
      const cache = ['--cache-dir', join(folder, 'kubectl-cache')];
      return (await execute(binaries.kubectl, [...cache, ...all], { maxBuffer: OUTPUT_BYTES })).stdout;
    },
    kubeconfigFor: (identity) => kubeconfigOf(`user-${++issued}`, identity),
    async kubeconfigForServiceAccount(namespace, name) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
      const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } };
      const { status } = await client.expect<{ status: { token: string } }>('POST', path, request);
      const file = join(folder, `service-account-${++issued}.kubeconfig`);
      return writeKubeconfig(file, { server, authority: authority.certificate, credentials: { token: status.token } });
    },
    stopApiServer,
    startApiServer,
    async restartApiServer(signal) {
      await stopApiServer(signal);
      await startApiServer();
    },
    stop: () => workspace.stop(),
    [Symbol.asyncDispose]: () => workspace.stop(),
  };
}

/**
 * Starts a real Kubernetes API on this machine: etcd, the API server and, where asked for, controllers and scheduler, on ports of their own.
 * It ends with stop(), and also when this process ends in any other way.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const workspace = await createWorkspace();
  try {
    return await startIn(workspace, options);
  } catch (error) {
    await workspace.stop();
    throw error;
  }
}
