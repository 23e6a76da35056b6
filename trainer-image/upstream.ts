import type { StageName } from '../operator/api/experiment.ts';
import type { StageInput } from '../operator/api/stage-contract.ts';
import { UpstreamMissingError } from './errors.ts';
import { inspectFolder } from './stage-folder.ts';

/** Whose artifacts a stage reads: the stage and its name in `upstream`. What lies further up may have been tidied away. */
const READS: Partial<Record<StageName, readonly [StageName, keyof StageInput['upstream']]>> = {
  'pseudo-label': ['classify', 'classify'],
  segment: ['pseudo-label', 'pseudoLabel'],
  evaluate: ['segment', 'segment'],
};

/** @throws UpstreamMissingError where the artifacts that a stage reads are not there, or not complete */
export async function checkUpstream({ stage, upstream }: Pick<StageInput, 'stage' | 'upstream'>): Promise<void> {
  const [name, field] = READS[stage] ?? [];
  const folder = field && upstream[field];
  if (name === undefined || folder === undefined) return;
  const content = await inspectFolder(folder, { name });
  if (content.kind === 'Complete') return;
  const what = {
    Missing: 'are not there: its folder is missing or empty',
    Unfinished: 'are not complete: there is no manifest.json',
    Damaged: content.kind === 'Damaged' ? `are not complete: ${content.message}` : '',
  }[content.kind];
  throw new UpstreamMissingError(`the artifacts of ${name} ${what}; ${name} has to run again`, {
    file: folder,
    field: `upstream.${field}`,
  });
}
