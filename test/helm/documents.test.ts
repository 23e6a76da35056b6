// What the guides say of the chart is so.
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ChartValues } from '../../operator/chart/values.ts';
import { find, helmTest, render } from './helm.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

helmTest('the table of rights in docs/security.md is the ClusterRole', async () => {
  const [, section] = read('docs/security.md').split("## The operator's rights");
  const [guide] = section.split('\n## ');
  const rows = [...guide.matchAll(/^\| (\S+) \| (\S+) \| ([a-z, ]+) \|/gm)].filter(([, group]) => group !== 'API');
  const told = rows.map(([, group, resource, verbs]) => `${group} ${resource}: ${verbs}`);
  const { rules = [] } = find(await render({}), 'ClusterRole', 'cdsp') ?? {};
  const granted = rules.map(({ apiGroups, resources, verbs }) => `${apiGroups[0] || 'core'} ${resources.join()}: ${verbs.join(', ')}`);
  assert.equal(told, granted);
});

test('values in docs/install.md are values of the chart', () => {
  const examples = [...read('docs/install.md').matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => load(text));
  assert.ok(examples.length > 0);
  for (const example of examples) ChartValues.parse(example);
});

test('every value that a guide or a decision names is one', () => {
  const known = ChartValues.parse({});
  for (const file of ['install', 'security', 'gitops']) {
    const named = [...read(`docs/${file}.md`).matchAll(/`((?:config|networkPolicy|monitoring|argocd|crds|rbac)\.[A-Za-z.]+)[`=]/g)];
    assert.ok(named.length > 0, file);
    for (const [, path] of named) {
      const keys = path.split('.');
      const parent = keys.slice(0, -1).reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], known);
      const last = keys.at(-1) ?? '';
      const isOptional = ['trainerImage', 'imagePullPolicy'].includes(last) && parent === known.config;
      assert.ok(isOptional || Object.hasOwn(parent ?? {}, last), `${path} in docs/${file}.md`);
    }
  }
});

test('the oldest Kubernetes of the chart and of the guide are the same', () => {
  const { kubeVersion } = load(read('helm/cdsp/Chart.yaml')) as { kubeVersion: string };
  const [, oldest] = /^>=(\d+\.\d+)\./.exec(kubeVersion) ?? [];
  assert.match(read('docs/install.md'), `Kubernetes ${oldest} or newer`);
});

test.run();
