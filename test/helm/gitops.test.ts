// What Argo CD and Flux make of experiments: Argo CD's Lua interpreter runs the chart's scripts, Flux' own rules judge the same objects.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, KIND } from '../../operator/api/experiment.ts';
import { parseExperiment } from '../../operator/api/parse.ts';
import { ChartValues } from '../../operator/chart/values.ts';
import { getProgram } from '../cluster/binaries.ts';
import { CHART } from '../cluster/installed-operator.ts';
import { clusterTests, whyNoPrograms } from '../cluster/requirements.ts';
import { find, helmTest, render } from './helm.ts';
import { OBSERVED, WITHOUT_STATUS } from './observed-experiments.ts';

const gitOpsTest = clusterTests(whyNoPrograms(['lua', 'kstatus']));
const objects = OBSERVED.map(({ object }) => object);

function run<Answer>(program: string, args: string[], input: readonly unknown[]): Answer[] {
  const { status, stdout, stderr } = spawnSync(program, args, { input: JSON.stringify(input), encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answer[];
}

const runLua = async <Answer>(script: string, input: readonly unknown[]) => run<Answer>(await getProgram('lua'), [script], input);
const script = (name: string) => join(CHART, 'files/argocd', `${name}.lua`);

interface Health {
  readonly status: string;
  readonly message: string;
}

gitOpsTest('Argo CD’s health of experiments', async () => {
  const answers = await runLua<Health>(script('health'), objects);
  assert.equal(
    answers.map(({ status, message }, index) => ({ why: OBSERVED[index].why, health: status, message })),
    OBSERVED.map(({ why, health, message }) => ({ why, health, message })),
  );
});

gitOpsTest('Argo CD waits for an experiment without any status', async () => {
  const [{ status }] = await runLua<Health>(script('health'), [WITHOUT_STATUS]);
  assert.is(status, 'Progressing');
});

gitOpsTest('kstatus, by which Flux waits, agrees', async () => {
  const answers = run<{ status: string }>(await getProgram('kstatus'), [], objects);
  assert.equal(
    answers.map(({ status }, index) => ({ why: OBSERVED[index].why, status })),
    OBSERVED.map(({ why, kstatus }) => ({ why, status: kstatus })),
  );
});

gitOpsTest('without the default status of the CRD, kstatus would take a fresh experiment for finished', async () => {
  const [{ status }] = run<{ status: string }>(await getProgram('kstatus'), [], [WITHOUT_STATUS]);
  assert.is(status, 'Current');
});

gitOpsTest('Argo CD’s actions: suspend where it runs, resume where it is suspended, and nothing else is changed', async () => {
  const running = { apiVersion: API_VERSION, kind: KIND, spec: { seed: 7, suspend: false } };
  const suspended = { ...running, spec: { seed: 7, suspend: true } };
  assert.equal(await runLua(script('discovery'), [running, suspended]), [
    { suspend: { disabled: false }, resume: { disabled: true } },
    { suspend: { disabled: true }, resume: { disabled: false } },
  ]);
  assert.equal(await runLua(script('suspend'), [running]), [suspended]);
  assert.equal(await runLua(script('resume'), [suspended]), [running]);
});

helmTest('the ConfigMap holds the scripts as they are', async () => {
  const map = find(await render({ argocd: { enabled: true } }), 'ConfigMap', 'argocd-cm');
  const read = (name: string) => readFileSync(script(name), 'utf8').trim();
  assert.is(map?.data?.['resource.customizations.health.cdsp.dev_CDSPExperiment'].trim(), read('health'));
  const actions = load(map?.data?.['resource.customizations.actions.cdsp.dev_CDSPExperiment'] ?? '') as {
    'discovery.lua': string;
    definitions: { name: string; 'action.lua': string }[];
  };
  assert.is(actions['discovery.lua'].trim(), read('discovery'));
  assert.equal(
    actions.definitions.map(({ name, 'action.lua': text }) => [name, text.trim()]),
    ['suspend', 'resume'].map((name) => [name, read(name)]),
  );
});

gitOpsTest('a script that is wrong is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-lua-'));
  try {
    writeFileSync(join(folder, 'wrong.lua'), 'return obj.none.at_all');
    const error: unknown = await runLua(join(folder, 'wrong.lua'), [{}]).catch((thrown: unknown) => thrown);
    assert.match(String(error), /attempt to index a non-table object\(nil\)/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

interface Example {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly values?: unknown;
    readonly path?: string;
    readonly wait?: boolean;
    readonly dependsOn?: readonly { readonly name: string }[];
    readonly source?: { readonly helm?: { readonly valuesObject?: unknown } };
    readonly healthChecks?: readonly { apiVersion: string; kind: string; name: string; namespace: string }[];
    readonly healthCheckExprs?: readonly { apiVersion: string; kind: string }[];
  };
}

const guide = readFileSync(join(CHART, '../../docs/gitops.md'), 'utf8');
const examples = [...guide.matchAll(/^```yaml\n(.*?)^```/gms)].flatMap(([, text]) => loadAll(text) as Example[]);
const ofKind = (kind: string) => examples.filter((example) => example.kind === kind);

test('docs/gitops.md has an example of each kind, and each is a Kubernetes object', () => {
  for (const kind of ['GitRepository', 'HelmRelease', 'Kustomization', 'Application', KIND]) assert.ok(ofKind(kind).length > 0, kind);
  for (const { apiVersion, kind, metadata } of examples) {
    assert.match(apiVersion, /^([a-z.]+\/)?v\d\w*$/, kind);
    assert.type(metadata.name, 'string', kind);
  }
});

test('the namespace of Flux’ HelmRelease is made before it', () => {
  const made = examples.findIndex(({ kind, metadata }) => kind === 'Namespace' && metadata.name === ofKind('HelmRelease')[0].metadata.namespace);
  assert.ok(made >= 0 && made < examples.findIndex(({ kind }) => kind === 'HelmRelease'));
});

test('values in docs/gitops.md are values of the chart', () => {
  const values = [
    ...ofKind('HelmRelease').map(({ spec }) => spec.values),
    ...ofKind('Application').flatMap(({ spec }) => spec.source?.helm?.valuesObject ?? []),
  ];
  assert.ok(values.length >= 2);
  for (const value of values) ChartValues.parse(value);
});

test('no Kustomization in docs/gitops.md waits for what it applies itself, and one that waits comes after those that do not', () => {
  const isWaiting = ({ spec }: Example) => spec.wait === true || (spec.healthChecks ?? []).length > 0;
  const waiting = ofKind('Kustomization').filter(isWaiting);
  const others = ofKind('Kustomization').filter((example) => !isWaiting(example));
  assert.ok(waiting.length > 0 && others.length > 0);
  for (const { spec } of waiting) {
    assert.not(spec.wait, 'it applies no experiment');
    assert.not(others.some((other) => other.spec.path === spec.path), spec.path);
    assert.equal(
      spec.dependsOn?.map(({ name }) => name),
      others.map(({ metadata }) => metadata.name),
    );
  }
});

test('experiments in docs/gitops.md are valid, and the health checks name them', () => {
  for (const example of ofKind(KIND)) parseExperiment(JSON.stringify(example), 'docs/gitops.md');
  const checked = ofKind('Kustomization').flatMap(({ spec }) => spec.healthChecks ?? []);
  assert.equal(
    checked.map(({ apiVersion, kind, name }) => ({ apiVersion, kind, name })),
    ofKind(KIND).map(({ apiVersion, kind, metadata }) => ({ apiVersion, kind, name: metadata.name })),
  );
});

test.run();
