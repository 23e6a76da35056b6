import { z } from 'zod';
import { plainText } from './plain-text.ts';

/*
 * What a stage tells of itself, by its termination message or its /progress. Anybody's image may have written it: whatever it is, the status
 * that is made of it is valid.
 */

/** As long as the names of classes and terms in the resource. */
const NAME_LENGTH = 63;
/** As many as an index PNG has colours for. */
const MOST_CLASSES = 255;

/** Minus zero would come back from the server as another number. */
const unsigned = (value: number): number => value + 0;

/** zod's numbers are finite ones. */
export const finite = z.number().transform(unsigned);
export const count = z.number().min(0).transform(unsigned);
export const share = z.number().min(0).max(1).transform(unsigned);

/** A field that makes no sense is left out: the rest is still worth showing. */
export const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

/** IoU by class; null for a class that does not occur, or whose IoU makes no sense. */
export const iouByClass = z.array(share.nullable().catch(null)).min(1).max(MOST_CLASSES);
export const classNames = z.array(z.string()).max(MOST_CLASSES);

/** The name of a class or term as a status takes it. */
export const toldName = (name: string): string => plainText(name.slice(0, NAME_LENGTH));

/** Names as a status takes them; undefined where they do not tell `count` classes apart any more: a status is a map by name. */
export function toldNames(names: readonly string[] | undefined, count: number): readonly string[] | undefined {
  const told = names?.map(toldName) ?? [];
  return told.length === count && new Set(told).size === count && !told.includes('') ? told : undefined;
}
