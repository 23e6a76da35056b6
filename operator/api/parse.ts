import { load, YAMLException } from 'js-yaml';
import { Experiment, KIND } from './experiment.ts';
import { ExperimentError } from './findings.ts';
import type { Finding } from './findings.ts';
import { issueFinding } from './issues.ts';
import { schemaTree } from './schema-tree.ts';
import { sizeFindings } from './spec-size.ts';
import { findUnknownKeys } from './unknown-keys.ts';
import { fieldLines, lineOf } from './yaml-lines.ts';

const tree = schemaTree(Experiment);

/** The API server drops null where the schema has no nullable field, so `segment:` with only comments below it means defaults. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key, withoutNulls(child)]),
  );
}

/** `status` comes with every object that is read back from a cluster; it says nothing about what is wanted. */
function withoutStatus(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'status'));
}

/** Whether a YAML alias stands inside the collection that it stands for. */
function isEndless(value: unknown, around: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return around.includes(value) || Object.values(value).some((child) => isEndless(child, [...around, value]));
}

/** The one value of a YAML file, not looked at any further. @throws ExperimentError */
export function readYaml(text: string, file: string): unknown {
  const value = parseYaml(text, file);
  if (isEndless(value))
    throw new ExperimentError([{ field: '', message: 'not valid here: an alias (*) is part of what it repeats' }], file);
  return value;
}

function parseYaml(text: string, file: string): unknown {
  try {
    return load(text, { filename: file });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    if (mark !== undefined) {
      const snippet = mark.snippet === null ? '' : `\n${mark.snippet}`;
      throw new ExperimentError([{ field: '', line: mark.line + 1, message: `not valid YAML: ${reason}${snippet}` }], file);
    }
    if (reason.includes('single document')) {
      throw new ExperimentError(
        [{ field: '', message: `holds several YAML documents (---); put each ${KIND} into a file of its own` }],
        file,
      );
    }
    if (reason.includes('empty')) throw new ExperimentError([{ field: '', message: `is empty; must hold a ${KIND}` }], file);
    throw new ExperimentError([{ field: '', message: `not valid YAML: ${reason}` }], file);
  }
}

/**
 * A plain value (from YAML or from the API server) as an experiment with every default filled in.
 * @throws ExperimentError with all findings at once: unknown keys, wrong values, impossible combinations.
 */
export function validateExperiment(value: unknown, file?: string, lines: ReadonlyMap<string, number> = new Map()): Experiment {
  const manifest = withoutNulls(withoutStatus(value));
  const parsed = Experiment.safeParse(manifest);
  const issues = parsed.success ? sizeFindings(parsed.data.spec) : parsed.error.issues.map((issue) => issueFinding(issue, manifest));
  const findings = [...findUnknownKeys(withoutStatus(value), tree), ...issues].map(({ field, message }): Finding => ({
    field,
    message,
    line: lineOf(field, lines),
  }));
  findings.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (findings.length > 0 || !parsed.success) throw new ExperimentError(findings, file);
  return parsed.data;
}

/**
 * Reads one CDSPExperiment from YAML.
 * @param file name for messages only; nothing is read from it
 * @throws ExperimentError (exit code 65) with all findings at once
 */
export function parseExperiment(text: string, file: string): Experiment {
  return validateExperiment(readYaml(text, file), file, fieldLines(text));
}
