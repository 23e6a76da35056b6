import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { ownerReference } from './cluster-experiment.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import { LABELS, MANAGED_BY } from './names.ts';
import { quantityValue } from '../api/quantity.ts';

const CLAIM_LABELS = { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: 'storage' };

/** The claim that the operator makes for an experiment that names none. */
export function buildClaim(experiment: ClusterExperiment, name: string): V1PersistentVolumeClaim {
  const { accessModes, size, storageClassName, retention } = experiment.spec.storage;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: experiment.namespace,
      labels: CLAIM_LABELS,
      // Kept artifacts outlive the experiment: without an owner the claim stays.
      ownerReferences: retention === 'Delete' ? [ownerReference(experiment)] : [],
    },
    spec: {
      accessModes: [...accessModes],
      resources: { requests: { storage: size } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

/**
 * Whether a claim that is there has the access modes that the experiment asks for, and perhaps more, and the class, where it asks for one: without a
 * name it is the cluster's default one, whichever that was when the claim was made.
 */
export function hasAskedKind({ spec: { storage } }: ClusterExperiment, { spec = {} }: V1PersistentVolumeClaim): boolean {
  const isClass = storage.storageClassName === undefined || storage.storageClassName === spec.storageClassName;
  return isClass && storage.accessModes.every((mode) => spec.accessModes?.includes(mode));
}

/** The same for people. */
export function kindOfClaim({ spec: { storageClassName = '', accessModes = [] } = {} }: V1PersistentVolumeClaim): string {
  const ofClass = storageClassName === '' ? 'without a storage class' : `with storage class "${storageClassName}"`;
  return `${ofClass} and with access modes ${accessModes.join(' and ')}`;
}

/**
 * What may change about a claim that is there, as a merge patch: its size, and whether it goes with the experiment. A claim only grows; one that an
 * experiment of the same name has kept may be larger than this one asks for, and serves as it is.
 */
export function buildClaimPatch(experiment: ClusterExperiment, existing: V1PersistentVolumeClaim) {
  const { metadata, spec } = buildClaim(experiment, '');
  const size = existing.spec?.resources?.requests?.storage;
  const isLargeEnough = size !== undefined && quantityValue(size) >= quantityValue(experiment.spec.storage.size);
  return {
    metadata: { ownerReferences: metadata?.ownerReferences },
    ...(isLargeEnough ? {} : { spec: { resources: spec?.resources } }),
  };
}
