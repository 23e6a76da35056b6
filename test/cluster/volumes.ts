import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlPlane } from './control-plane.ts';

/** Makes volumes for claims, as a storage system does: one folder each, that every node of this machine can mount. */
export interface Provisioner {
  readonly className: string;
  stop(): Promise<void>;
}

export interface ProvisionerOptions {
  readonly className?: string;
  readonly isDefault?: boolean;
  readonly reclaimPolicy?: 'Delete' | 'Retain';
}

interface Claim {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly accessModes: readonly string[];
    readonly resources: { readonly requests: { readonly storage: string } };
  };
}

interface Volume {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly storageClassName?: string;
    readonly persistentVolumeReclaimPolicy: string;
    readonly hostPath?: { readonly path: string };
  };
  readonly status: { readonly phase: string };
}

const POLL_MS = 100;
const PROVISIONER = 'cdsp.test/folder';

const buildVolume = ({ metadata, spec }: Claim, path: string, reclaimPolicy: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: `pvc-${metadata.uid}`, annotations: { 'pv.kubernetes.io/provisioned-by': PROVISIONER } },
  spec: {
    storageClassName: spec.storageClassName,
    persistentVolumeReclaimPolicy: reclaimPolicy,
    accessModes: spec.accessModes,
    capacity: { storage: spec.resources.requests.storage },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...metadata },
    hostPath: { path },
  },
});

/**
 * Starts serving claims of a storage class, by default the cluster's default one. Written here because the controller manager's own
 * provisioner for tests makes folders that only root can write.
 */
export async function startProvisioner(
  { workspace, client }: ControlPlane,
  { className = 'standard', isDefault = true, reclaimPolicy = 'Delete' }: ProvisionerOptions = {},
): Promise<Provisioner> {
  const annotations = { 'storageclass.kubernetes.io/is-default-class': String(isDefault) };
  const storageClass = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: className, annotations } };
  await client.expect('POST', '/apis/storage.k8s.io/v1/storageclasses', { ...storageClass, provisioner: PROVISIONER, reclaimPolicy });

  async function serve(): Promise<void> {
    const claims = await client.expect<{ items: Claim[] }>('GET', '/api/v1/persistentvolumeclaims');
    for (const claim of claims.items.filter(({ spec }) => spec.storageClassName === className && spec.volumeName === undefined)) {
      const { namespace, name, uid } = claim.metadata;
      const folder = join(workspace.folder, 'volumes', `${namespace}-${name}-${uid}`);
      mkdirSync(folder, { recursive: true });
      // For containers of any user, as a real system sees to by the pod's group.
      chmodSync(folder, 0o777);
      await client.request('POST', '/api/v1/persistentvolumes', buildVolume(claim, folder, reclaimPolicy));
    }
    const volumes = await client.expect<{ items: Volume[] }>('GET', '/api/v1/persistentvolumes');
    const isOver = ({ spec, status }: Volume) =>
      spec.storageClassName === className && status.phase === 'Released' && spec.persistentVolumeReclaimPolicy === 'Delete';
    for (const { metadata, spec } of volumes.items.filter(isOver)) {
      if (spec.hostPath !== undefined) rmSync(spec.hostPath.path, { recursive: true, force: true });
      await client.request('DELETE', `/api/v1/persistentvolumes/${metadata.name}`);
    }
  }

  const stopping = new AbortController();
  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      // While the API server is away, claims wait.
      await serve().catch(() => {});
      await delay(POLL_MS, undefined, { ref: false, signal: stopping.signal }).catch(() => {});
    }
  }
  const worked = work();
  return {
    className,
    async stop() {
      stopping.abort();
      await worked;
    },
  };
}
