import { createHash } from 'node:crypto';
import type { ExperimentStatus } from '../../../operator/api/status.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** The status of another experiment that has ended: the same with keys, Jobs, pods and claim of its own. */
export function finishedStatus(example: ExperimentStatus, from: string, to: string): ExperimentStatus {
  const stages = example.stages?.map((stage) => {
    const key = digest(`${stage.key} of ${to}`);
    const job = `cdsp-${stage.name}-${key.slice(0, 16)}-${digest(to).slice(0, 6)}`;
    return { ...stage, key, job, pod: `${job}-${digest(key).slice(0, 5)}` };
  });
  const storage = example.storage && { ...example.storage, claimName: example.storage.claimName.replace(from, to) };
  return { ...example, stages, ...(storage === undefined ? {} : { storage }) };
}
