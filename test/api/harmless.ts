// What no pod of a stage may have, whatever an experiment asks for. Lists say what is allowed: a field that is new in Kubernetes is not.
import type { V1Container, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';

const POD_FIELDS =
  `activeDeadlineSeconds affinity automountServiceAccountToken containers dnsPolicy enableServiceLinks imagePullSecrets nodeSelector
  preemptionPolicy priority priorityClassName resourceClaims restartPolicy runtimeClassName schedulerName securityContext
  serviceAccount serviceAccountName shareProcessNamespace terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes`.split(
    /\s+/,
  );
const CONTAINER_FIELDS = `env image imagePullPolicy name ports resources securityContext terminationMessagePath terminationMessagePolicy
  volumeMounts`.split(/\s+/);
const VOLUME_KINDS = ['persistentVolumeClaim', 'emptyDir', 'image'];
const MOUNTS = ['/cdsp', '/data', '/labels', '/tmp', '/weights'];

const beyond = (object: object, allowed: readonly string[]) => Object.keys(object).filter((field) => !allowed.includes(field));

function assertVolume(volume: V1Volume): void {
  assert.equal(beyond(volume, ['name', ...VOLUME_KINDS]), [], `volume ${volume.name}`);
  assert.is(volume.emptyDir?.medium, undefined, 'memory of the node is not for files');
}

function assertContainer(container: V1Container): void {
  assert.equal(beyond(container, CONTAINER_FIELDS), []);
  assert.equal(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  for (const variable of container.env ?? []) assert.equal(Object.keys(variable).sort(), ['name', 'value'], 'nothing is read from secrets');
  for (const port of container.ports ?? []) assert.equal(beyond(port, ['name', 'containerPort', 'protocol']), []);
  for (const mount of container.volumeMounts ?? []) {
    assert.equal(beyond(mount, ['name', 'mountPath', 'readOnly']), []);
    assert.ok(MOUNTS.includes(mount.mountPath), mount.mountPath);
    assert.is(
      mount.readOnly ?? false,
      !['/cdsp', '/tmp'].includes(mount.mountPath),
      `${mount.mountPath} can be written to only where it has to`,
    );
  }
}

/** Whether affinity stays within the pod's own namespace. */
function assertOwnNamespace(affinity: V1PodSpec['affinity']): void {
  assert.not.match(JSON.stringify(affinity ?? {}), /"namespaces"|"namespaceSelector"/);
}

/**
 * Holds a pod against everything that a user who may only create experiments must not gain: the node, privilege, the API, secrets, other
 * namespaces, code of one's own.
 */
export function assertHarmless(pod: V1PodSpec): void {
  assert.equal(beyond(pod, POD_FIELDS), []);
  assert.is(pod.automountServiceAccountToken, false);
  assert.ok([undefined, 'default'].includes(pod.serviceAccountName), 'no account but the one without rights');
  assert.is(pod.restartPolicy, 'Never');
  const { runAsNonRoot, runAsUser, seccompProfile, ...others } = pod.securityContext ?? {};
  assert.equal([runAsNonRoot, runAsUser, seccompProfile?.type], [true, 65532, 'RuntimeDefault']);
  assert.equal(beyond(others, ['runAsGroup', 'fsGroup', 'fsGroupChangePolicy']), []);
  assert.not.match(pod.priorityClassName ?? '', /^system-/);
  assert.is(pod.containers.length, 1);
  pod.containers.forEach(assertContainer);
  (pod.volumes ?? []).forEach(assertVolume);
  assertOwnNamespace(pod.affinity);
}
