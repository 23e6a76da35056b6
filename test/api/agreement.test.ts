// A cluster and parse() take the same experiments, with the same defaults, and refuse the same ones with the same words.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExperimentCrd } from '../../operator/api/crd.ts';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { inParallel } from '../in-parallel.ts';
import { AGAINST_RULES, manifest, VALID, WRONG_VALUES } from '../operator/api/manifests.ts';
import { askParse, askServer, findingsOf } from './judges.ts';
import { brokenLimits, metLimits, missingFields } from './schema-cases.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const root = buildExperimentCrd().spec.versions[0].schema.openAPIV3Schema as SchemaNode;
const spec = root.properties?.spec ?? {};

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
  await applyCrds(plane);
});
const ask = (value: unknown) => askServer(plane.client, value);

const AT_A_TIME = 8;

for (const [why, value] of VALID) {
  clusterTest(`taken, and defaulted as parse() does: ${why}`, async () => {
    const verdict = await ask(value);
    assert.is(verdict.message, '');
    assert.equal(verdict.spec, askParse(value).spec);
  });
}

for (const [why, value, field] of AGAINST_RULES) {
  clusterTest(`refused with parse()’s words: ${why}`, async () => {
    const [finding] = findingsOf(value);
    const { isAccepted, message } = await ask(value);
    assert.not(isAccepted);
    assert.match(message, `${field}: Invalid value`);
    assert.match(message, finding.message);
  });
}

for (const [why, value, field] of WRONG_VALUES) {
  clusterTest(`refused by both, naming the field: ${why}`, async () => {
    assert.match((await ask(value)).message, field);
    assert.is(findingsOf(value)[0]?.field, field);
  });
}

const unknown: [why: string, value: Record<string, unknown>, field: string][] = [
  ['at the top', { ...manifest({}), sepc: {} }, 'sepc'],
  ['in the spec', manifest({ segmnt: {} }), 'spec.segmnt'],
  ['deep inside', manifest({ segment: { augmentation: { scalemin: 1 } } }), 'spec.segment.augmentation.scalemin'],
  [
    'in a list',
    manifest({ placement: { default: { tolerations: [{ operator: 'Exists', kee: 'x' }] } } }),
    'spec.placement.default.tolerations[0].kee',
  ],
  [
    'what a pod has and a stage must not ask for',
    manifest({ placement: { default: { hostNetwork: true } } }),
    'spec.placement.default.hostNetwork',
  ],
];
for (const [why, value, field] of unknown) {
  clusterTest(`an unknown key is refused by both: ${why}`, async () => {
    const { isAccepted, message } = await ask(value);
    assert.not(isAccepted);
    assert.match(message, `unknown field "${field}"`);
    assert.is(findingsOf(value)[0]?.field, field);
  });
}

clusterTest('each limit of each field, broken, is refused by both with the field', async () => {
  const cases = [...brokenLimits(spec), ...missingFields(spec)];
  assert.ok(cases.length > 800);
  await inParallel(cases, AT_A_TIME, async ({ why, field, manifest: value }) => {
    const [inCluster, here] = [await ask(value), askParse(value)];
    assert.not(inCluster.isAccepted || here.isAccepted, why);
    assert.ok(inCluster.message.includes(field) && here.message.includes(field), `${why}: ${inCluster.message} | ${here.message}`);
  });
});

clusterTest('a text of the wrong form is refused with what the form is, not with a pattern alone', async () => {
  const cases = brokenLimits(spec).filter(({ why }) => why.endsWith('of another form'));
  assert.ok(cases.length > 20);
  await inParallel(cases, AT_A_TIME, async ({ manifest: value, field }) => {
    const [said] = findingsOf(value).map(({ message }) => message.replace(/, is ".*$/, ''));
    assert.ok((await ask(value)).message.includes(said), `${field}: ${said}`);
  });
});

clusterTest('each limit of each field, met exactly, is judged alike, and what is taken is defaulted alike', async () => {
  const cases = metLimits(spec);
  let taken = 0;
  await inParallel(cases, AT_A_TIME, async ({ why, manifest: value }) => {
    const [inCluster, here] = [await ask(value), askParse(value)];
    assert.is(inCluster.isAccepted, here.isAccepted, `${why}: ${inCluster.message} | ${here.message}`);
    assert.equal(inCluster.spec, here.spec, why);
    if (here.isAccepted) taken++;
  });
  assert.ok(taken > 500, `${taken} of ${cases.length} were taken`);
});

clusterTest('asking every rule of the longest lists at once is not too much for the API server', async () => {
  const text = (index: number) => `${index}`.padEnd(63, 'x');
  const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
  const labels = (count: number) =>
    Object.fromEntries(many(count, (index) => [`${'a'.repeat(170)}.example.org/${text(index)}`, text(index)]));
  const expressions = (values: number) => many(10, (index) => ({ key: text(index), operator: 'In', values: many(values, text) }));
  const term = { topologyKey: text(0), labelSelector: { matchLabels: labels(20), matchExpressions: expressions(20) } };
  const selector = { matchExpressions: expressions(50) };
  const pods = {
    requiredDuringSchedulingIgnoredDuringExecution: many(10, () => ({ ...term, matchLabelKeys: many(10, (index) => text(100 + index)) })),
  };
  const affinity = {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: many(10, () => selector) } },
    podAffinity: pods,
    podAntiAffinity: pods,
  };
  const placement = { affinity, nodeSelector: labels(50), tolerations: many(32, (index) => ({ key: text(index), value: text(index) })) };
  const value = manifest({ placement: { default: placement, segment: placement } });
  assert.ok(JSON.stringify(value).length > 1e6);
  assert.is((await ask(value)).message, '');
  assert.match(askParse(value).message, /bytes, which may be \d+/);
});

test.run();
