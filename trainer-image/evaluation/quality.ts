import type { Confusion } from './confusion.ts';

/** How good predictions are, as progress tells it. */
export interface Quality {
  readonly meanIou: number;
  /** By class; null for one that does not occur. */
  readonly iou: (number | null)[];
  /** Names of the classes. */
  readonly classes: string[];
}

/** Undefined before any pixel was counted. */
export function qualityOf(confusion: Pick<Confusion, 'meanIou' | 'iou'>, classes: readonly string[]): Quality | undefined {
  const meanIou = confusion.meanIou();
  return meanIou === null ? undefined : { meanIou, iou: confusion.iou(), classes: [...classes] };
}
