import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec } from '../../../operator/api/experiment.ts';
import { openDigestCache } from '../../../operator/local/digest-cache.ts';
import { resolveIdentities } from '../../../operator/local/identities.ts';
import { datasetDigest, digestOfJson } from '../../../trainer-image/data/dataset-digest.ts';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { sha256OfFile } from '../../../trainer-image/stage-folder.ts';
import { digestForResult } from '../../../trainer-image/stages/stage-data.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { experiment } from '../../operator/plan/experiments.ts';
import { makeContext, refusal } from '../stages/contexts.ts';
import { createTestFolder, fillFolder } from './folders.ts';

test('the digest of a folder is that of what a local run takes for its identity', () =>
  withFolder(async (root) => {
    const folder = await createTestFolder();
    await fillFolder(folder, 3, 2);
    const dataset = await openDataset(folder.settings);
    const made = experiment({ dataset: folder.settings });
    const located = { ...made, spec: { ...made.spec, dataset: folder.settings } };
    const { dataset: identity } = await resolveIdentities(located, openDigestCache(`${root}/digests.json`), () => undefined);
    const digest = await datasetDigest(folder.settings, dataset, sha256OfFile);
    assert.is(digest, digestOfJson(identity));
    await folder.writeLabels('Scribbles/t1.png', 24, 16, [1]);
    assert.is.not(await datasetDigest(folder.settings, dataset, sha256OfFile), digest);
    await folder.remove();
  }));

test('generated scenes are known by their settings: no file is read', async () => {
  const nothing = { classes: [], train: [], val: [] };
  const unread = () => Promise.reject(new Error('read'));
  const digestOf = (generator: object) => datasetDigest(ExperimentSpec.parse({ dataset: { generator } }).dataset, nothing, unread);
  assert.match(await digestOf({}), /^sha256:[0-9a-f]{64}$/);
  assert.is(await digestOf({}), await digestOf({ train: 240 }), 'as the defaults are');
  assert.is.not(await digestOf({}), await digestOf({ seed: 1 }));
});

test('the first stage reports it, later ones do not, and each stops when it is told to', () =>
  withFolder(async (root) => {
    const folder = await createTestFolder();
    await fillFolder(folder, 1, 1);
    const dataset = await openDataset(folder.settings);
    const spec = { dataset: folder.settings };
    const first = await digestForResult(dataset, makeContext(root, { stage: 'classify', spec }).context);
    assert.match(first.datasetDigest ?? '', /^sha256:/);
    const later = makeContext(root, { stage: 'segment', spec, upstream: { pseudoLabel: '/labels' } });
    assert.equal(await digestForResult(dataset, later.context), {});
    const stopped = makeContext(root, { stage: 'classify', spec, isStopping: () => true });
    assert.match((await refusal(digestForResult(dataset, stopped.context))).message, /^stopped while the digest/);
    await folder.remove();
  }));

test.run();
