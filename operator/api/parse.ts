import { load, loadAll, YAMLException } from 'js-yaml';
import { Experiment, GROUP, KIND } from './experiment.ts';
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
  return withoutEnd(parseYaml(text, file, load), file);
}

function withoutEnd(value: unknown, file: string): unknown {
  if (isEndless(value))
    throw new ExperimentError([{ field: '', message: 'not valid here: an alias (*) is part of what it repeats' }], file);
  return value;
}

function parseYaml<Content>(text: string, file: string, read: (text: string, options: { filename: string }) => Content): Content {
  try {
    return read(text, { filename: file });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    if (mark !== undefined) {
      const snippet = mark.snippet === null ? '' : `\n${mark.snippet}`;
      throw new ExperimentError([{ field: '', line: mark.line + 1, message: `not valid YAML: ${reason}${snippet}` }], file);
    }
    if (reason.includes('single document')) {
      throw new ExperimentError(
        [{ field: '', message: `holds several YAML documents (---), where one ${KIND} is wanted; put it into a file of its own` }],
        file,
      );
    }
    if (reason.includes('empty')) throw isEmpty(file);
    throw new ExperimentError([{ field: '', message: `not valid YAML: ${reason}` }], file);
  }
}

const isEmpty = (file: string) => new ExperimentError([{ field: '', message: `is empty; must hold a ${KIND}` }], file);

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
  return validateExperiment(readYaml(text, file), file, fieldLines(text)[0]);
}

/** A document of a YAML file that may hold several. */
interface YamlDocument {
  readonly value: unknown;
  /** As fieldLines gives them. */
  readonly lines: ReadonlyMap<string, number>;
}

/** What a file holds that kubectl would take. */
export interface YamlDocuments {
  /** Not looked at any further. */
  readonly experiments: readonly YamlDocument[];
  /** Kind and name of each other object. */
  readonly others: readonly string[];
}

/** Kind and name of an object that is surely another one: a slip in an experiment's own kind must not hide it. */
function otherObject(value: unknown): string | undefined {
  const { apiVersion, kind, metadata } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown; metadata?: { name?: unknown } };
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || kind === KIND || apiVersion.startsWith(`${GROUP}/`)) return undefined;
  return typeof metadata?.name === 'string' ? `${kind} ${metadata.name}` : kind;
}

/**
 * Reads every document of a YAML file; empty ones are none.
 * @param file name for messages only
 * @throws ExperimentError where the text is no YAML, or holds no experiment
 */
export function readDocuments(text: string, file: string): YamlDocuments {
  const values = parseYaml(text, file, (content, options) => loadAll(content, options));
  const lines = fieldLines(text);
  const documents = values
    .map((value, index): YamlDocument => ({ value: withoutEnd(value, file), lines: lines[index] }))
    .filter(({ value }) => value !== null);
  if (documents.length === 0) throw isEmpty(file);
  // Of the only document everything is said that is wrong with it as an experiment.
  if (documents.length === 1) return { experiments: documents, others: [] };
  const experiments = documents.filter(({ value }) => otherObject(value) === undefined);
  const others = documents.flatMap(({ value }) => otherObject(value) ?? []);
  if (experiments.length > 0) return { experiments, others };
  throw new ExperimentError([{ field: '', message: `holds no ${KIND}, only ${others.join(', ')}` }], file);
}
