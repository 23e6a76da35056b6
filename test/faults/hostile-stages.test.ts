// Stages whose last word makes no sense to the operator, or is meant to harm it: the experiment comes to its end all the same.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { NODE_TERMS, withNodeTerms } from '../operator/api/node-terms.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  await cluster.startLocal();
});

/** What YAML, as which a status is applied, does not take, or takes for something else. */
const UNPRINTABLE = '\u007f\u0085\u009b\u2028\ufeff\uffff\ud83d';
const result = (fields: object) => JSON.stringify({ result: fields });
const numbered = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}`);

type Results = ExperimentStatus['results'];
const results: [why: string, message: string, expected: Results][] = [
  [
    'percentages',
    result({ meanIou: 57.2, pixelAccuracy: 91, iou: [50, 0.5] }),
    { classes: [{ name: 'class 0' }, { name: 'class 1', iou: 0.5 }] },
  ],
  ['numbers that no share has', result({ meanIou: -1, pixelAccuracy: 1.5 }).replace('-1', '1e999'), undefined],
  [
    'a loss as large as numbers get',
    result({ loss: Number.MAX_VALUE, meanIou: 0 }).replace(':0', ':-0'),
    { meanIou: 0, pseudoLabelMeanIou: 0 },
  ],
  ['a loss that is too large for an integer', result({ loss: 1e19 }), undefined],
  ['a digest without end', result({ datasetDigest: 'd'.repeat(3000) }), undefined],
  ['300 classes', result({ iou: Array(300).fill(0.5) }), undefined],
  [
    'long names that are the same where they are cut',
    result({ iou: [0.5, 0.5], classes: numbered(2, 'x'.repeat(80)) }),
    { classes: numbered(2, 'class ').map((name) => ({ name, iou: 0.5 })) },
  ],
  [
    'names that nobody can print',
    result({ iou: [0.5, 0.5], classes: numbered(2, UNPRINTABLE) }),
    { classes: numbered(2, '�'.repeat(7)).map((name) => ({ name, iou: 0.5 })) },
  ],
  ['no JSON', UNPRINTABLE, undefined],
];

let tests = 0;
for (const [why, message, expected] of results) {
  const namespace = `result-${++tests}`;
  clusterTest(`an experiment succeeds although each of its stages ends with ${why}`, async () => {
    await cluster.makeNamespace(namespace);
    cluster.player.play(namespace, () => ({ exitCode: 0, message }));
    await cluster.create(namespace, 'cats', { retries: 0 });
    assert.equal((await cluster.untilPhase(namespace, 'cats', 'Succeeded')).results, expected);
    await cluster.checkRanOnce(namespace);
  });
}

const errors: [why: string, message: string, expected: RegExp][] = [
  ['words that nobody can print', JSON.stringify({ error: { message: UNPRINTABLE, file: UNPRINTABLE, field: '' } }), /^�{7}$/],
  ['long words', JSON.stringify({ error: { message: '🐈'.repeat(3000), file: 'f'.repeat(9000) } }), /^(🐈)+…$/u],
  ['no JSON', `x${UNPRINTABLE}`, /^x�{7}$/],
];
for (const [why, message, expected] of errors) {
  const namespace = `error-${++tests}`;
  clusterTest(`an experiment fails with what can be told of ${why}`, async () => {
    await cluster.makeNamespace(namespace);
    cluster.player.play(namespace, () => ({ exitCode: 65, message }));
    await cluster.create(namespace, 'cats', { retries: 0 });
    const { stages = [] } = await cluster.untilPhase(namespace, 'cats', 'Failed');
    assert.match(stages[0].failure?.message ?? '', expected);
  });
}

clusterTest('nor does a data set hinder it whose class names nobody can print', async () => {
  const namespace = await cluster.makeNamespace('class-names');
  const classes = ['cat\u007f', 'cat\u0080'];
  cluster.player.play(namespace, () => ({ exitCode: 0, message: result({ iou: [0.5, 0.5] }) }));
  await cluster.create(namespace, 'cats', { dataset: { folder: { path: '.' }, classes } });
  const { results: told } = await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  assert.equal(
    told?.classes?.map(({ name }) => name),
    ['class 0', 'class 1'],
  );
});

clusterTest('a spec that is too long for a stage to be told starts nothing, and is refused with the field that takes most', async () => {
  const namespace = await cluster.makeNamespace('too-long');
  await cluster.create(namespace, 'cats', withNodeTerms(4));
  const { conditions = [] } = await cluster.untilPhase(namespace, 'cats', 'Failed');
  const { message = '' } = conditions.find(({ type }) => type === 'Stalled') ?? {};
  assert.ok(message.startsWith(`${NODE_TERMS}: takes `), message);
  assert.equal(await cluster.jobs(namespace), []);
});

test.run();
