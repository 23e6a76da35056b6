import type { ExperimentSpec } from './experiment.ts';
import { formatPath } from './findings.ts';
import type { Finding } from './findings.ts';
import { longestValue, STAGE_ENVIRONMENT } from './stage-contract.ts';

/** More than all that a stage is told beside the spec: names, keys, folders, and what stands before paths once they are absolute. */
const REST_BYTES = 8 * 1024;

/**
 * Most that a spec may take as JSON with all defaults, in bytes; far above what people write. A stage gets it in one variable, of which
 * Linux takes no more. Placement, which stages are not told, counts as well: each Job repeats it, and the operator keeps it of all
 * experiments under way.
 */
export const LARGEST_SPEC_BYTES = longestValue(STAGE_ENVIRONMENT) - REST_BYTES;

const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

interface Field {
  readonly path: readonly string[];
  readonly bytes: number;
}

/** Texts, numbers and lists, by their path. */
function fieldsOf(value: unknown, path: readonly string[]): Field[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [{ path, bytes: bytesOf(value) }];
  return Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .flatMap(([name, child]) => fieldsOf(child, [...path, name]));
}

/** A spec that is too large, by the field that takes most of it. */
export function sizeFindings(spec: ExperimentSpec): Finding[] {
  const bytes = bytesOf(spec);
  if (bytes <= LARGEST_SPEC_BYTES) return [];
  const [longest] = fieldsOf(spec, ['spec']).toSorted((a, b) => b.bytes - a.bytes);
  const message = `takes ${longest.bytes} of the spec’s ${bytes} bytes, which may be ${LARGEST_SPEC_BYTES} (as JSON, defaults included); shorten it`;
  return [{ field: formatPath(longest.path), message }];
}
