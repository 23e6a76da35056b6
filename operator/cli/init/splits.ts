import { createHash } from 'node:crypto';

/** One image in five is for validation. */
const VALIDATION_SHARE = 0.2;

export interface Splits {
  readonly train: readonly string[];
  readonly val: readonly string[];
}

/**
 * Divides images by a hash of their names, so that the same folder gives the same splits on every machine. Only images
 * with a mask can be for validation, only images with a scribble for training. Where no image has a mask, those without a scribble
 * are for validation, up to the same share: nothing scores them, but their predictions can be looked at.
 */
export function makeSplits(ids: readonly string[], hasScribble: (id: string) => boolean, hasMask: (id: string) => boolean): Splits {
  const rank = (id: string) => createHash('sha256').update(id).digest('hex');
  const isCandidate = ids.some(hasMask) ? hasMask : (id: string) => !hasScribble(id);
  const validatable = ids.filter(isCandidate).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  // Masked images without a scribble serve for nothing else.
  const ordered = [...validatable.filter((id) => !hasScribble(id)), ...validatable.filter(hasScribble)];
  const wanted = Math.max(1, Math.round(ids.length * VALIDATION_SHARE));
  const val = new Set(ordered.slice(0, wanted));
  return { train: ids.filter((id) => hasScribble(id) && !val.has(id)).sort(), val: [...val].sort() };
}
