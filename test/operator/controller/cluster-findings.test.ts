import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterFindings } from '../../../operator/controller/cluster-findings.ts';
import { VALID } from '../api/manifests.ts';
import { validateExperiment } from '../../../operator/api/parse.ts';
import { experiment } from '../plan/experiments.ts';

const ALLOWANCES = {
  trainerImage: 'registry.example.org/cdsp/trainer:1',
  allowedImages: ['registry.example.org/lab/*'],
  allowedDataImages: ['registry.example.org/data/*', 'registry.example.org/voc@*'],
};
const findings = (spec: Record<string, unknown>, allowances = ALLOWANCES) => clusterFindings(experiment(spec).spec, allowances);
const folder = (fields: object) => ({ dataset: { folder: { path: 'voc', ...fields } } });
const external = (fields: object) => ({ pseudoLabels: { source: 'External', external: { path: 'labels', ...fields } } });
const DATA = 'registry.example.org/data/voc:1';

const inOrder: [why: string, spec: Record<string, unknown>][] = [
  ['the generator', {}],
  ['relative paths', folder({ path: './a/b..c/...', images: 'x/y' })],
  ['the root of the volume', folder({ path: '.' })],
  ['a name that begins with a tilde', folder({ path: '~backup/voc' })],
  ['weights by a name that is no path', { model: { backbone: 'efficientnet-lite0', weights: 'ImageNet' } }],
  ['a folder of artifacts for local runs', { storage: { path: '/data/runs' } }],
  ['the operator’s own image', { image: ALLOWANCES.trainerImage }],
  ['the operator’s own image, pinned', { image: `registry.example.org/cdsp/trainer@sha256:${'a'.repeat(64)}` }],
  ['an image that a pattern allows', { image: 'registry.example.org/lab/mine:2' }],
  ['a data image that a pattern allows', folder({ image: DATA })],
  ['ReadWriteOncePod with one shard', { storage: { accessModes: ['ReadWriteOncePod'] }, placement: { evaluate: { shards: 1 } } }],
  ['shards on ReadWriteOnce', { placement: { pseudoLabel: { shards: 8 } } }],
];
for (const [why, spec] of inOrder) test(`nothing is found: ${why}`, () => assert.equal(findings(spec), []));

const troubles: [why: string, spec: Record<string, unknown>, field: string, message: RegExp][] = [
  ['an absolute path', folder({ path: '/data/voc' }), 'spec.dataset.folder.path', /^"\/data\/voc" is absolute: .* without the leading \/$/],
  ['a home folder', folder({ path: '~/voc' }), 'spec.dataset.folder.path', /^"~\/voc" starts at a home folder/],
  ['nothing but a home folder', folder({ path: '~' }), 'spec.dataset.folder.path', /home folder/],
  ['a way upwards', folder({ path: 'a/../../b' }), 'spec.dataset.folder.path', /^"a\/\.\.\/\.\.\/b" leads upwards/],
  ['a way upwards at the end', folder({ path: '..' }), 'spec.dataset.folder.path', /leads upwards/],
  ['images elsewhere', folder({ images: '../images' }), 'spec.dataset.folder.images', /leads upwards/],
  ['scribbles elsewhere', folder({ scribbles: '/s' }), 'spec.dataset.folder.scribbles', /absolute/],
  ['masks elsewhere', folder({ masks: '/m' }), 'spec.dataset.folder.masks', /absolute/],
  ['a list of names elsewhere', folder({ trainSplit: '/t' }), 'spec.dataset.folder.trainSplit', /absolute/],
  ['the other list elsewhere', folder({ valSplit: '../v' }), 'spec.dataset.folder.valSplit', /upwards/],
  ['labels elsewhere', external({ path: '/l' }), 'spec.pseudoLabels.external.path', /absolute/],
  ['weights elsewhere', { model: { weights: '/w.pth' } }, 'spec.model.weights', /absolute/],
  [
    'an image that nobody allowed',
    { image: 'elsewhere.net/trainer:1' },
    'spec.image',
    /^"elsewhere\.net\/trainer:1" is not allowed here \(allowed: registry\.example\.org\/cdsp\/trainer:1, registry\.example\.org\/lab\/\*\); leave it out, or .* allowedImages$/,
  ],
  ['another tag of the operator’s own image', { image: 'registry.example.org/cdsp/trainer:2' }, 'spec.image', /not allowed/],
  [
    'data in an image that nobody allowed',
    folder({ image: 'a.net/voc:1' }),
    'spec.dataset.folder.image',
    /not allowed here .*claimName.*allowedDataImages/,
  ],
  ['labels in one', external({ image: 'a.net/l:1' }), 'spec.pseudoLabels.external.image', /not allowed/],
  ['weights in one', { model: { weights: 'w.pth', weightsFrom: { image: 'a.net/w:1' } } }, 'spec.model.weightsFrom.image', /not allowed/],
];
for (const [why, spec, field, message] of troubles) {
  test(`found, by its field, with what to do: ${why}`, () => {
    const found = findings(spec);
    assert.equal(
      found.map((finding) => finding.field),
      [field],
    );
    assert.match(found[0].message, message);
  });
}

test('everything is found at once', () => {
  const spec = { ...folder({ path: '/voc', image: 'a.net/voc:1' }), image: 'a.net/trainer:1', model: { weights: '../w.pth' } };
  assert.equal(
    findings(spec).map(({ field }) => field),
    ['spec.dataset.folder.path', 'spec.model.weights', 'spec.image', 'spec.dataset.folder.image'],
  );
});

test('without patterns no image is allowed but the operator’s, and no data image', () => {
  const none = { ...ALLOWANCES, allowedImages: [], allowedDataImages: [] };
  assert.equal(findings({ image: ALLOWANCES.trainerImage }, none), []);
  assert.is(findings({ image: 'registry.example.org/lab/mine:2' }, none).length, 1);
  assert.match(findings(folder({ image: DATA }), none)[0].message, 'not allowed here (none is)');
});

test('a long list of patterns is cut short', () => {
  const many = { ...ALLOWANCES, allowedImages: Array.from({ length: 20 }, (_, index) => `image-${index}`) };
  assert.match(findings({ image: 'other' }, many)[0].message, 'image-3 and 16 more)');
});

test('whatever path is let through stays below the root that it is joined to', () => {
  const segment = fc.constantFrom('..', '.', 'a', '', '~', 'b.c', '...');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
      const path = segments.join('/');
      if (path === '' || findings(folder({ path })).length > 0) return;
      const { pathname } = new URL(`file:///root/${path.replaceAll('~', '%7E')}/`);
      assert.ok(pathname.startsWith('/root/'), pathname);
    }),
  );
});

test('the table of valid manifests has no findings where every image is allowed', () => {
  const all = { trainerImage: 'x', allowedImages: ['*'], allowedDataImages: ['*'] };
  for (const [why, value] of VALID) assert.equal(clusterFindings(validateExperiment(value).spec, all), [], why);
});

test.run();
