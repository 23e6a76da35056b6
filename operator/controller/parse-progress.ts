import { z } from 'zod';
import type { LiveProgress } from './live-progress.ts';
import { classNames, count, finite, iouByClass, lenient, share, toldName, toldNames } from './told-values.ts';

/** As many as a status takes. */
const MOST_TERMS = 16;

const Answer = z.object({
  key: z.string(),
  done: count.optional(),
  total: count.optional(),
  preparing: lenient(z.boolean()),
  loss: lenient(finite),
  terms: lenient(z.record(z.string(), finite.nullable().catch(null))),
  learningRate: lenient(finite),
  gradientNorm: lenient(finite),
  epoch: lenient(count),
  imagesPerSecond: lenient(count),
  meanIou: lenient(share),
  iou: lenient(iouByClass),
  classes: lenient(classNames),
});

function lossesOf(terms: Readonly<Record<string, number | null>>): LiveProgress['losses'] {
  const finite = Object.entries(terms).flatMap(([name, value]) => (value === null ? [] : [{ name: toldName(name), value }]));
  const named = finite.filter(({ name }) => name !== '');
  // Names that are the same once they are cut: a status is a map by name.
  return [...new Map(named.map((loss) => [loss.name, loss])).values()].slice(0, MOST_TERMS);
}

/** IoU and names belong together, one for each. */
function classesOf(iou: readonly (number | null)[] | undefined, classes: readonly string[] | undefined) {
  const names = iou === undefined ? undefined : toldNames(classes, iou.length);
  return names === undefined ? undefined : { iou, classes: names };
}

/**
 * A pod's answer to /progress. Anybody's image may have written it, so nothing in it is trusted.
 * @param key the stage key that it has to be of, or its first digits
 * @returns undefined where the stage has nothing to tell yet
 * @throws Error where the text is no progress of this stage
 */
export function parseProgress(text: string, key: string): LiveProgress | undefined {
  const answer = Answer.parse(JSON.parse(text));
  if (key === '' || !answer.key.startsWith(key)) throw new Error('another stage has answered');
  const { done, total, loss, terms, learningRate, gradientNorm, epoch, imagesPerSecond, meanIou, iou, classes } = answer;
  // What comes before a stage's own work is no share of it.
  if (done === undefined || total === undefined || answer.preparing === true) return undefined;
  const losses = terms === undefined ? undefined : lossesOf(terms);
  const fields = { loss, losses, learningRate, gradientNorm, epoch, imagesPerSecond, meanIou, ...classesOf(iou, classes) };
  return { done, total, ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) };
}
