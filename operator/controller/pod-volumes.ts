import { posix } from 'node:path';
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { Experiment } from '../api/experiment.ts';
import { weightsFile } from '../plan/stage-inputs.ts';
import type { PlannedStage } from '../plan/plan.ts';

type Spec = Experiment['spec'];

/** Where things lie in a stage's pod. */
const MOUNTS = { storage: '/cdsp', data: '/data', labels: '/labels', weights: '/weights' } as const;

/** Folder of a stage's artifacts in its pod. */
export const stageFolderInPod = ({ name, key }: Pick<PlannedStage, 'name' | 'key'>): string => `${MOUNTS.storage}/stages/${name}/${key}`;

interface Source {
  readonly claimName?: string;
  readonly image?: string;
}

/** What an experiment reads besides its artifacts, by the volume's name. */
function sourcesOf({ dataset, pseudoLabels, model }: Spec): Partial<Record<'data' | 'labels' | 'weights', Source>> {
  return {
    ...(dataset.folder === undefined ? {} : { data: dataset.folder }),
    ...(pseudoLabels.external === undefined ? {} : { labels: pseudoLabels.external }),
    ...(model.weightsFrom === undefined ? {} : { weights: model.weightsFrom }),
  };
}

const isMounted = ({ claimName, image }: Source): boolean => claimName !== undefined || image !== undefined;

function volume(name: string, { claimName, image }: Source): V1Volume {
  return image === undefined
    ? { name, persistentVolumeClaim: { claimName: claimName ?? '', readOnly: true } }
    : { name, image: { reference: image, pullPolicy: 'IfNotPresent' } };
}

export interface PodVolumes {
  readonly volumes: V1Volume[];
  readonly volumeMounts: V1VolumeMount[];
}

const isSame = (one: V1Volume, other: V1Volume): boolean =>
  one.persistentVolumeClaim?.claimName === other.persistentVolumeClaim?.claimName && one.image?.reference === other.image?.reference;

/**
 * The artifacts' claim, a place for temporary files, and what the experiment reads from other volumes, read-only. A claim that serves for several of
 * these is one volume of the pod, with a mount for each: older kubelets wait for ever for the second volume of one claim (kubernetes/kubernetes#122140),
 * and one that is read-only would make the artifacts read-only, too.
 */
export function podVolumes(spec: Spec, claim: string): PodVolumes {
  const volumes: V1Volume[] = [
    { name: 'storage', persistentVolumeClaim: { claimName: claim } },
    { name: 'tmp', emptyDir: {} },
  ];
  const volumeMounts: V1VolumeMount[] = [
    { name: 'storage', mountPath: MOUNTS.storage },
    { name: 'tmp', mountPath: '/tmp' },
  ];
  for (const [name, source] of Object.entries(sourcesOf(spec))) {
    if (!isMounted(source)) continue;
    const wanted = volume(name, source);
    const there = volumes.find((other) => isSame(other, wanted));
    if (there === undefined) volumes.push(wanted);
    volumeMounts.push({ name: (there ?? wanted).name, mountPath: MOUNTS[name as keyof typeof MOUNTS], readOnly: true });
  }
  return { volumes, volumeMounts };
}

/**
 * Which volume a path of a stage's pod lies on, for people who know the volume and not the pod.
 * @returns such as `/data is the claim voc`; undefined where the text names no such path
 */
export function volumeNamedIn(text: string, spec: Spec, claim: string): string | undefined {
  const sources: [string, Source][] = [['storage', { claimName: claim }], ...Object.entries(sourcesOf(spec))];
  for (const [name, source] of sources) {
    const path = MOUNTS[name as keyof typeof MOUNTS];
    if (!isMounted(source) || !new RegExp(`(^|[^\\w/])${path}(/|\\W|$)`).test(text)) continue;
    return source.image === undefined ? `${path} is the claim ${source.claimName}` : `${path} is the image ${source.image}`;
  }
  return undefined;
}

/** The spec with the paths that a stage's pod sees: below the volume that is named for them, else on the artifacts' claim. */
export function specInPod(spec: Spec): Spec {
  const inPod = (path: string, mount: 'data' | 'labels' | 'weights', source: Source = {}) =>
    posix.join(isMounted(source) ? MOUNTS[mount] : MOUNTS.storage, path);
  const { dataset, pseudoLabels, model, storage } = spec;
  const { folder } = dataset;
  const { external } = pseudoLabels;
  const weights = weightsFile(model);
  return {
    ...spec,
    dataset: { ...dataset, ...(folder === undefined ? {} : { folder: { ...folder, path: inPod(folder.path, 'data', folder) } }) },
    pseudoLabels: {
      ...pseudoLabels,
      ...(external === undefined ? {} : { external: { ...external, path: inPod(external.path, 'labels', external) } }),
    },
    model: { ...model, ...(weights === undefined ? {} : { weights: inPod(weights, 'weights', model.weightsFrom) }) },
    storage: { ...storage, path: MOUNTS.storage },
  };
}
