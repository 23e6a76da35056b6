import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate, CertificateAuthority } from './certificates.ts';

const SERVICE_NETWORK = '10.96.0.0/16';
/** The first address of it: what pods call the API server. */
const API_SERVICE_ADDRESS = '10.96.0.1';
const NAMES = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '127.0.0.1', API_SERVICE_ADDRESS];

export interface ApiServerSettings {
  readonly folder: string;
  readonly etcd: string;
  readonly address: string;
  readonly port: number;
  readonly authority: CertificateAuthority;
  readonly serviceAccountKey: string;
  /** Whether controllers run, which make the service accounts that pods need. */
  readonly controllers: boolean;
  /** Whether the address is one that pods can reach. */
  readonly reachable: boolean;
  /** Further admission plugins. */
  readonly admissionPlugins: readonly string[];
  readonly auditPolicy?: unknown;
}

/** The key that signs the tokens of service accounts. */
export function writeServiceAccountKey(folder: string): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = join(folder, 'service-accounts.key');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

/** Where the API server logs requests, if it does. */
export const auditLogOf = ({ folder, auditPolicy }: ApiServerSettings) =>
  auditPolicy === undefined ? undefined : join(folder, 'audit.log');

function auditArgs(settings: ApiServerSettings): string[] {
  const log = auditLogOf(settings);
  if (log === undefined) return [];
  const policy = join(settings.folder, 'audit-policy.json');
  writeFileSync(policy, JSON.stringify(settings.auditPolicy));
  // Blocking: what has been answered is in the file.
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-mode=blocking'];
}

const serving = ({ certificate, key }: Certificate) => [`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`];
const toKubelets = ({ certificate, key }: Certificate) => [`--kubelet-client-certificate=${certificate}`, `--kubelet-client-key=${key}`];

/** The arguments of kube-apiserver; makes the certificates that it needs. */
export function apiServerArgs(settings: ApiServerSettings): string[] {
  const { folder, etcd, address, port, authority, serviceAccountKey, controllers, admissionPlugins, reachable } = settings;
  return [
    `--etcd-servers=${etcd}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${port}`,
    `--cert-dir=${folder}`,
    ...serving(authority.issueServer('kube-apiserver', [...NAMES, address])),
    `--client-ca-file=${authority.certificate}`,
    ...toKubelets(authority.issueClient('apiserver-kubelet', { user: 'kube-apiserver', groups: ['system:masters'] })),
    `--kubelet-certificate-authority=${authority.certificate}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--service-account-key-file=${serviceAccountKey}`,
    `--service-account-signing-key-file=${serviceAccountKey}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-cluster-ip-range=${SERVICE_NETWORK}`,
    '--authorization-mode=Node,RBAC',
    `--enable-admission-plugins=${['NodeRestriction', ...admissionPlugins].join()}`,
    '--allow-privileged',
    ...(controllers ? [] : ['--disable-admission-plugins=ServiceAccount']),
    // A loopback address is refused as the endpoint of a service.
    ...(reachable ? [] : ['--endpoint-reconciler-type=none']),
    ...auditArgs(settings),
  ];
}
