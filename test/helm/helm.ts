import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadAll } from 'js-yaml';
import type { ChartValuesInput } from '../../operator/chart/values.ts';
import { getProgram } from '../cluster/binaries.ts';
import { CHART, OPERATOR_NAMESPACE, RELEASE } from '../cluster/installed-operator.ts';
import { clusterTests, whyNoPrograms } from '../cluster/requirements.ts';

/** A test that needs Helm and no cluster. */
export const helmTest = clusterTests(whyNoPrograms(['helm']));

const execute = promisify(execFile);
const OUTPUT_BYTES = 1 << 26;

/** What the tests read of an object, whatever its kind. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
}

/** Helm's standard output. @throws Error with its message */
export async function helm(...args: string[]): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'cdsp-helm-'));
  const homes = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((what) => [`HELM_${what}_HOME`, join(home, what)]));
  try {
    return (await execute(await getProgram('helm'), args, { maxBuffer: OUTPUT_BYTES, env: { ...process.env, ...homes } })).stdout;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Hands over values in a file, as JSON, which is YAML. Their type is open: what Helm must refuse is tested as well. */
export async function withValues<T>(values: unknown, act: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-values-'));
  try {
    const file = join(folder, 'values.yaml');
    writeFileSync(file, JSON.stringify(values));
    return await act(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const renderedBy = (chart: string, values: unknown, args: readonly string[]): Promise<string> =>
  withValues(values, (file) => helm('template', RELEASE, chart, '--namespace', OPERATOR_NAMESPACE, '--values', file, ...args));

export const template = (values: unknown, ...args: string[]): Promise<string> => renderedBy(CHART, values, args);

/** The same with rules and dashboards of a line each, which have tests of their own, and without the CRD. */
export async function templateInShort(values: unknown): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-chart-'));
  try {
    cpSync(CHART, folder, { recursive: true });
    rmSync(join(folder, 'files/dashboards'), { recursive: true, force: true });
    mkdirSync(join(folder, 'files/dashboards'));
    writeFileSync(join(folder, 'files/dashboards/example.json'), '{ "title": "Example" }\n');
    writeFileSync(join(folder, 'files/rules.yaml'), 'groups: []\n');
    return await renderedBy(folder, values, ['--set', 'crds.enabled=false']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the chart makes of values. */
export async function render(values: ChartValuesInput, ...args: string[]): Promise<KubernetesObject[]> {
  return loadAll(await template(values, ...args)).filter((object) => object !== null) as KubernetesObject[];
}

/** The only object of a kind; undefined where there is none. */
export function find(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject | undefined {
  const found = objects.filter((object) => object.kind === kind && (name === undefined || object.metadata.name === name));
  if (found.length > 1) throw new Error(`there are ${found.length} objects of kind ${kind}`);
  return found[0];
}

/** Why Helm refuses values. */
export const refusal = (values: unknown, ...args: string[]): Promise<string> =>
  template(values, ...args).then(
    () => 'accepted',
    (error: unknown) => (error as { stderr?: string }).stderr ?? String(error),
  );
