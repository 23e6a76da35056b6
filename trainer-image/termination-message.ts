import { writeFileSync } from 'node:fs';
import type { StageEvent, StageMetrics } from '../operator/api/stage-contract.ts';

/** Kubernetes keeps so many bytes of a container's termination message. */
const MOST_BYTES = 4096;
/** Metrics that find room first, in this order: what a status shows of a result. */
const FIRST: readonly string[] = ['meanIou', 'pixelAccuracy', 'iou', 'datasetDigest'];
/** Class names find room last: whoever reads the message can find them elsewhere. */
const LAST = 'classes';
/** Bytes of the name of a file or field, which is told whole up to then: two of them leave room for a message. */
const MOST_NAME_BYTES = 1024;

type Entry = readonly [name: string, value: StageMetrics[string]];

/** Lists of numbers to 4 digits: more say nothing about an IoU, and 255 of them have to fit. */
function rounded([name, value]: Entry): Entry {
  if (!Array.isArray(value)) return [name, value];
  return [name, value.map((element) => (typeof element === 'number' ? Number(element.toPrecision(4)) : element))];
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** From the most important metric to the least: of those that are not named, the shortest first. */
function byImportance(entries: readonly Entry[]): Entry[] {
  const rank = ([name]: Entry) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length + Number(name === LAST));
  return entries.toSorted((a, b) => rank(a) - rank(b) || bytesOf(a[1]) - bytesOf(b[1]));
}

/** The metrics that find room, in their own order, lists rounded. */
function fitting(metrics: StageMetrics): string {
  const entries = Object.entries(metrics).map(rounded);
  const textOf = (kept: ReadonlySet<Entry>) => JSON.stringify({ result: Object.fromEntries(entries.filter((entry) => kept.has(entry))) });
  const kept = new Set<Entry>();
  for (const entry of byImportance(entries)) {
    kept.add(entry);
    if (Buffer.byteLength(textOf(kept)) > MOST_BYTES) kept.delete(entry);
  }
  return textOf(kept);
}

/**
 * As much of a text as fits; the limit is one of bytes, of which a letter takes up to four and a sign that JSON escapes six.
 * @param keep so many letters of the text
 */
function fittingPart(text: string, fits: (part: string) => boolean, keep: (letters: readonly string[], count: number) => string): string {
  if (fits(text)) return text;
  // Whole ones: half a letter is none.
  const letters = [...text.toWellFormed()];
  let length = letters.length;
  do length = Math.floor(length * 0.9);
  while (length > 0 && !fits(keep(letters, length)));
  return keep(letters, length);
}

/** The end of a name that is too long: it tells most. */
const endOf = (name: string | undefined) =>
  name === undefined
    ? undefined
    : fittingPart(
        name,
        (part) => bytesOf(part) <= MOST_NAME_BYTES,
        (letters, count) => `…${letters.slice(letters.length - count).join('')}`,
      );

/** The error with file and field, its message as far as it fits. */
function shortened(error: Extract<StageEvent, { type: 'error' }>): string {
  const [file, field] = [endOf(error.file), endOf(error.field)];
  const textOf = (message: string) => JSON.stringify({ error: { message, file, field } });
  const message = fittingPart(
    error.message,
    (part) => Buffer.byteLength(textOf(part)) <= MOST_BYTES,
    (letters, count) => `${letters.slice(0, count).join('')}…`,
  );
  return textOf(message);
}

/**
 * Writes the last word of a stage, its result or its error, where Kubernetes picks it up: it survives the pod's logs and its node. Other
 * events leave the file alone. Where it cannot be written, the exit code and the log still tell.
 */
export function writeTerminationMessage(file: string, event: StageEvent): void {
  if (event.type !== 'result' && event.type !== 'error') return;
  try {
    writeFileSync(file, event.type === 'result' ? fitting(event.metrics) : shortened(event));
  } catch {
    return;
  }
}
