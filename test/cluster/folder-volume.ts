import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from './control-plane.ts';

export interface FolderVolumeOptions {
  readonly namespace?: string;
  /** Default: ReadWriteOnce. */
  readonly accessModes?: readonly string[];
  /** Default: one made in the cluster's workspace, that anybody may write to. */
  readonly folder?: string;
  /** Files that lie in it before anybody mounts it. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Makes a claim that is bound to a folder which this process and every node see. @returns the folder */
export async function createFolderVolume(
  { workspace, client, waitUntil }: ControlPlane,
  name: string,
  { namespace = 'default', accessModes = ['ReadWriteOnce'], folder, files = {} }: FolderVolumeOptions = {},
): Promise<string> {
  const path = folder ?? join(workspace.folder, 'volumes', `${namespace}-${name}`);
  if (folder === undefined) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  const size = { storage: '1Gi' };
  await client.expect('POST', '/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${namespace}-${name}` },
    spec: {
      storageClassName: '',
      accessModes,
      capacity: size,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
      hostPath: { path },
    },
  });
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
  const spec = { storageClassName: '', volumeName: `${namespace}-${name}`, accessModes, resources: { requests: size } };
  await client.expect('POST', claims, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec });
  await waitUntil(`the claim ${name} to be bound`, async () => {
    const { status } = await client.expect<{ status?: { phase?: string } }>('GET', `${claims}/${name}`);
    return status?.phase === 'Bound';
  });
  return path;
}
