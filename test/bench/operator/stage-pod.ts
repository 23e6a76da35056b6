import type { V1Pod } from '@kubernetes/client-node';
import { STAGE_ENVIRONMENT, StageInput } from '../../../operator/api/stage-contract.ts';
import { jobOfPod } from '../../../operator/controller/caches.ts';
import type { PodTimes } from './timeline.ts';

const Named = StageInput.pick({ experiment: true, stage: true, key: true });

export interface StagePod extends Pick<PodTimes, 'name' | 'job' | 'experiment' | 'stage'> {
  readonly key: string;
}

/** Which stage of which experiment a pod runs, by the contract between operator and trainer; undefined for any other pod. */
export function stageOf(pod: V1Pod): StagePod | undefined {
  const text = pod.spec?.containers.flatMap(({ env = [] }) => env).find(({ name }) => name === STAGE_ENVIRONMENT)?.value;
  const job = jobOfPod(pod);
  if (text === undefined || job === undefined) return undefined;
  return { name: pod.metadata?.name ?? '', job, ...Named.parse(JSON.parse(text)) };
}
