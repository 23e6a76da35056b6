import type { V1Pod } from '@kubernetes/client-node';
import type { ControlPlane } from '../cluster/control-plane.ts';

export interface PodOptions {
  readonly name: string;
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface PodOutcome {
  readonly exitCode: number;
  /** The container's termination message. */
  readonly message: string;
  readonly log: string;
}

const PODS = '/api/v1/namespaces/lab/pods';

/** A pod as the restricted Pod Security level wants it: with the image's own user, and nothing to write to but two empty folders. */
const buildPod = ({ name, image, environment = {} }: PodOptions): V1Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, fsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name,
        image,
        imagePullPolicy: 'Never',
        env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        volumeMounts: [
          { name: 'tmp', mountPath: '/tmp' },
          { name: 'artifacts', mountPath: '/cdsp' },
        ],
      },
    ],
    volumes: [
      { name: 'tmp', emptyDir: {} },
      { name: 'artifacts', emptyDir: {} },
    ],
  },
});

/** Runs the image's own entrypoint in the namespace `lab` until it has ended. */
export async function runPod(cluster: ControlPlane, options: PodOptions): Promise<PodOutcome> {
  const { name } = options;
  await cluster.client.expect('POST', PODS, buildPod(options));
  const read = async () => (await cluster.client.expect<V1Pod>('GET', `${PODS}/${name}`)).status?.containerStatuses?.[0].state;
  await cluster.waitUntil(`the pod ${name} to end`, async () => (await read())?.terminated !== undefined);
  const { exitCode = -1, message = '' } = (await read())?.terminated ?? {};
  return { exitCode, message, log: await cluster.kubectl('logs', '--namespace', 'lab', name) };
}
