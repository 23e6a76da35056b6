import { createHash } from 'node:crypto';

/** One image in five is for validation. */
const VALIDATION_SHARE = 0.2;

export interface Splits {
  readonly train: readonly string[];
  readonly val: readonly string[];
}

const share = (count: number) => Math.max(1, Math.round(count * VALIDATION_SHARE));

/**
 * Divides images by a hash of their names, so that the same folder gives the same splits on every machine. Only images
 * with a mask can be for validation, only images with a scribble for training. Images with a mask alone go first, since they serve for
 * nothing else; of those with both, training keeps four in five, and the last one in any case. Where no image has a mask, those without a
 * scribble are for validation: nothing scores them, but their predictions can be looked at.
 */
export function makeSplits(ids: readonly string[], hasScribble: (id: string) => boolean, hasMask: (id: string) => boolean): Splits {
  const rank = (id: string) => createHash('sha256').update(id).digest('hex');
  const scribbled = ids.filter(hasScribble);
  const isCandidate = ids.some(hasMask) ? hasMask : (id: string) => !hasScribble(id);
  const candidates = ids.filter(isCandidate).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const spare = candidates.filter((id) => !hasScribble(id)).slice(0, share(ids.length));
  const trainable = candidates.filter(hasScribble);
  const taken = Math.min(share(ids.length) - spare.length, share(trainable.length), scribbled.length - 1);
  const val = new Set([...spare, ...trainable.slice(0, Math.max(0, taken))]);
  return { train: scribbled.filter((id) => !val.has(id)).sort(), val: [...val].sort() };
}
