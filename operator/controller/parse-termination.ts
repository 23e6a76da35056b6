import { z } from 'zod';
import { defined } from './defined.ts';
import { plainText } from './plain-text.ts';
import { classNames, finite, iouByClass, lenient, share } from './told-values.ts';

/** Of a path that is longer, its end is told, in characters. */
const LONGEST_PATH = 1024;
/** Longer than any digest; one that is cut would be another one. */
const DIGEST = /^[!-~]{1,128}$/;

const path = z.string().transform((text) => plainText(text.length > LONGEST_PATH ? `…${text.slice(-LONGEST_PATH)}` : text));

const Result = z.object({
  meanIou: lenient(share),
  pixelAccuracy: lenient(share),
  loss: lenient(finite),
  iou: lenient(iouByClass),
  classes: lenient(classNames),
  datasetDigest: lenient(z.string().regex(DIGEST)),
  reused: lenient(z.boolean()),
});

const Failure = z.object({ message: z.string(), file: lenient(path), field: lenient(path) });

/** The last word of a stage (4096 bytes at most), which outlives the pod's logs and node. */
const TerminationMessage = z.object({ result: lenient(Result), error: lenient(Failure) });

/** What a status tells of a stage's result. */
export type StageResult = Partial<z.output<typeof Result>>;

export interface LastWord {
  readonly result?: StageResult;
  readonly error?: z.output<typeof Failure>;
}

/**
 * A stage's termination message. Anybody's image may have written it, so nothing in it is trusted: what makes no sense is left out.
 * Never throws.
 */
export function parseTermination(text: string | undefined): LastWord {
  if (text === undefined) return {};
  try {
    const { result, error } = TerminationMessage.parse(JSON.parse(text));
    return defined({ result: result && defined(result), error: error && defined(error) });
  } catch {
    return {};
  }
}
