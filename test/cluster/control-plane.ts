import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createApiClient } from './api-client.ts';
import type { ApiClient } from './api-client.ts';
import { apiServerArgs, auditLogOf, writeServiceAccountKey } from './api-server.ts';
import { getProgram, getPrograms } from './binaries.ts';
import { createCertificateAuthority } from './certificates.ts';
import type { Certificate, CertificateAuthority, Identity } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { startControllerManager, startEtcd, startScheduler } from './components.ts';
import { createNetwork } from './network.ts';
import type { ClusterNetwork } from './network.ts';
import { freePort } from './ports.ts';
import type { Program } from './program.ts';
import { createWorkspace } from './cluster-workspace.ts';
import type { Workspace } from './cluster-workspace.ts';

export interface ControlPlaneOptions {
  /** With the controllers of Jobs, garbage, namespaces and so on, and the scheduler. Without them this is the API and nothing else. */
  readonly controllers?: boolean;
  /** A network that nodes can join; needs root. Without one the API server is on the loopback interface only. */
  readonly network?: boolean;
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** An audit.k8s.io/v1 Policy; the API server then writes the file `auditLog`. */
  readonly auditPolicy?: unknown;
  /** Admission plugins that a kube-apiserver does not switch on by itself. */
  readonly admissionPlugins?: readonly string[];
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
  /** Where etcd answers; nobody is asked who they are. */
  readonly etcdUrl: string;
  readonly apiServer: Program;
  readonly controllerManager?: Program;
  readonly scheduler?: Program;
  /** Standard output of kubectl as the administrator, or as the owner of another kubeconfig by `--kubeconfig`. */
  kubectl(...args: string[]): Promise<string>;
  /** The same for Helm. */
  helm(...args: string[]): Promise<string>;
  /** Waits, looking again and again, until it is so; fails with the API server's last lines after two minutes. */
  readonly waitUntil: (what: string, isSo: () => Promise<boolean> | boolean) => Promise<void>;
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

/** Who may call the server: certificates and tokens, each in a kubeconfig of its own. */
function createAccess(folder: string, server: string) {
  const authority = createCertificateAuthority(join(folder, 'certificates'));
  const write = (name: string, credentials: Certificate | { token: string }) =>
    writeKubeconfig(join(folder, `${name}.kubeconfig`), { server, authority: authority.certificate, credentials });
  const administrator = authority.issueClient('admin', { user: 'admin', groups: ['system:masters'] });
  const client = createApiClient(server, authority.certificate, administrator);
  let issued = 0;
  return {
    authority,
    client,
    kubeconfig: write('admin', administrator),
    /** For a part of the control plane. */
    kubeconfigOf: (part: string) => write(part, authority.issueClient(part, { user: `system:${part}` })),
    kubeconfigFor: (identity: Identity) => {
      const name = `user-${++issued}`;
      return write(name, authority.issueClient(name, identity));
    },
    kubeconfigForServiceAccount: async (namespace: string, name: string) => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
      const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } };
      const { status } = await client.expect<{ status: { token: string } }>('POST', path, request);
      return write(`service-account-${++issued}`, { token: status.token });
    },
  };
}

/** kubectl and Helm as the administrator; what they keep between calls goes with the cluster. */
function createTools(folder: string, kubeconfig: string, kubectl: string): Pick<ControlPlane, 'kubectl' | 'helm'> {
  const homes = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((what) => [`HELM_${what}_HOME`, join(folder, 'helm', what)]));
  const env = { ...process.env, ...homes, KUBECONFIG: kubeconfig };
  const run = async (program: string, args: readonly string[]) => (await execute(program, args, { maxBuffer: OUTPUT_BYTES, env })).stdout;
  return {
    kubectl: (...args) => run(kubectl, ['--cache-dir', join(folder, 'kubectl-cache'), ...args]),
    helm: async (...args) => run(await getProgram('helm'), args),
  };
}

/** An API server that can be stopped and started again. */
function createApiServer(workspace: Workspace, client: ApiClient, binary: string, args: readonly string[]) {
  let program: Program;
  const isReady = () =>
    client
      .request('GET', '/readyz')
      .then(({ status }) => status === 200)
      .catch(() => false);
  async function start(): Promise<void> {
    program = workspace.start('kube-apiserver', binary, args);
    await program.waitUntil('/readyz', isReady);
  }
  async function stop(signal?: NodeJS.Signals): Promise<void> {
    client.close();
    await program.stop(signal);
  }
  return { current: () => program, start, stop };
}

/** Starts everything in a workspace that is there already. */
async function startIn(workspace: Workspace, options: ControlPlaneOptions): Promise<ControlPlane> {
  const { controllers = false, featureGates = {}, admissionPlugins = [], auditPolicy, say } = options;
  const { folder } = workspace;
  const binaries = await getPrograms(['etcd', 'kube-apiserver', 'kubectl'], { say });
  const more = controllers ? await getPrograms(['kube-controller-manager', 'kube-scheduler'], { say }) : undefined;
  const network = options.network ? createNetwork(workspace.id) : undefined;
  const address = network?.hostAddress ?? '127.0.0.1';
  const port = await freePort(address);
  const server = `https://${address}:${port}`;
  const access = createAccess(folder, server);
  const { authority, client, kubeconfig, kubeconfigOf } = access;
  const serviceAccountKey = writeServiceAccountKey(folder);
  const gates = featureArgs(featureGates);

  const { etcd, url } = await startEtcd(workspace, binaries.etcd);
  const common = { folder, address, port, authority, serviceAccountKey, controllers, admissionPlugins, auditPolicy };
  const settings = { ...common, etcd: url, reachable: network !== undefined };
  const serverArgs = [...apiServerArgs(settings), ...gates, ...(options.apiServerArgs ?? [])];
  const apiServer = createApiServer(workspace, client, binaries['kube-apiserver'], serverArgs);
  await apiServer.start();

  const scheduler =
    more && (await startScheduler(workspace, more['kube-scheduler'], kubeconfigOf, [...gates, ...(options.schedulerArgs ?? [])]));
  const managerArgs = [
    `--service-account-private-key-file=${serviceAccountKey}`,
    `--root-ca-file=${authority.certificate}`,
    ...gates,
    ...(options.controllerManagerArgs ?? []),
  ];
  const controllerManager = more && (await startControllerManager(workspace, more['kube-controller-manager'], kubeconfigOf, managerArgs));
  // No pod is taken before its namespace has one.
  await controllerManager?.waitUntil('the default service account', async () => {
    const { status } = await client.request('GET', '/api/v1/namespaces/default/serviceaccounts/default');
    return status === 200;
  });

  async function stop(): Promise<void> {
    client.end();
    await workspace.stop();
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
    etcdUrl: url,
    get apiServer() {
      return apiServer.current();
    },
    controllerManager,
    scheduler,
    ...createTools(folder, kubeconfig, binaries.kubectl),
    waitUntil: (what, isSo) => apiServer.current().waitUntil(what, isSo),
    kubeconfigFor: access.kubeconfigFor,
    kubeconfigForServiceAccount: access.kubeconfigForServiceAccount,
    stopApiServer: apiServer.stop,
    startApiServer: apiServer.start,
    async restartApiServer(signal) {
      await apiServer.stop(signal);
      await apiServer.start();
    },
    stop,
    [Symbol.asyncDispose]: stop,
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
