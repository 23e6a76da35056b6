import fc from 'fast-check';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentInput } from '../../../../operator/api/experiment.ts';
import { parseExperiment } from '../../../../operator/api/parse.ts';
import { quote } from '../../../../operator/cli/command-name.ts';
import { renderExperiment } from '../../../../operator/cli/init/render-experiment.ts';
import { makeSplits } from '../../../../operator/cli/init/splits.ts';
import { suggestSettings } from '../../../../operator/cli/init/suggest-settings.ts';

const ids = Array.from({ length: 20 }, (_, index) => `image-${index}`);
const always = () => true;

test('one image in five is for validation, and none is in both splits', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 60 }), (names) => {
      const { train, val } = makeSplits(names, always, always);
      assert.is(val.length, Math.max(1, Math.round(names.length / 5)));
      assert.equal([...train, ...val].sort(), [...names].sort());
    }),
  );
});

test('the splits do not depend on the order of the images', () => {
  assert.equal(makeSplits([...ids].reverse(), always, always), makeSplits(ids, always, always));
});

const first = (count: number) => new Set(ids.slice(0, count));
const divisions: [why: string, scribbled: ReadonlySet<string>, masked: ReadonlySet<string>, train: number, val: number][] = [
  ['of images with both, training keeps four in five, however many have neither', first(5), first(5), 4, 1],
  ['a mask alone is for validation first, and then nothing is taken from training', first(5), new Set(ids), 5, 4],
  ['few masks among many scribbles are for both', new Set(ids), first(5), 19, 1],
  ['the only image with a scribble is for training', first(1), first(1), 1, 0],
  ['nothing is trained on without a scribble', new Set(), first(3), 0, 3],
];
for (const [why, scribbled, masked, trainImages, valImages] of divisions) {
  test(why, () => {
    const { train, val } = makeSplits(
      ids,
      (id) => scribbled.has(id),
      (id) => masked.has(id),
    );
    assert.equal([train.length, val.length], [trainImages, valImages]);
    assert.ok(train.every((id) => scribbled.has(id) && !val.includes(id)));
    assert.ok(val.every((id) => masked.has(id)));
  });
}

test('without masks and with scribbles everywhere there is no validation', () =>
  assert.equal(
    makeSplits(ids, always, () => false),
    { train: [...ids].sort(), val: [] },
  ));

test('without masks, images without a scribble are for validation, but no more than one in five', () => {
  const { train, val } = makeSplits(
    ids,
    (id) => Number(id.slice(6)) < 10,
    () => false,
  );
  assert.equal([train.length, val.length], [10, 4]);
  assert.ok(val.every((id) => Number(id.slice(6)) >= 10));
});

test('settings fit the number of images and their size', () => {
  const cases = [
    [712, 144, { classifyEpochs: 10, segmentEpochs: 13, batchSize: 8, cropSize: 160 }],
    [20, 500, { classifyEpochs: 80, segmentEpochs: 80, batchSize: 4, cropSize: 256 }],
    [20000, 40, { classifyEpochs: 8, segmentEpochs: 8, batchSize: 8, cropSize: 96 }],
  ] as const;
  for (const [images, side, expected] of cases) {
    const { classifyEpochs, segmentEpochs, batchSize, cropSize } = suggestSettings(images, side);
    assert.equal({ classifyEpochs, segmentEpochs, batchSize, cropSize }, expected);
  }
});

test('the suggested settings are valid for any data set', () => {
  fc.assert(
    fc.property(fc.nat(100000), fc.integer({ min: 1, max: 20000 }), (images, side) => {
      const text = renderExperiment({ ...draft, trainImages: images, settings: suggestSettings(images, side) });
      parseExperiment(text, 'x.yaml');
    }),
    { numRuns: 30 },
  );
});

const draft = {
  name: 'x',
  reference: 'r.md',
  folder: { path: '.', images: 'a', scribbles: 'b', masks: 'c', trainSplit: 'd', valSplit: 'e' },
  trainImages: 10,
  hasMasks: true,
  classesAreGuessed: false,
  settings: suggestSettings(10, 100),
};

test('any name of a folder or class is read back as it was', () => {
  const odd = fc.constantFrom('yes', 'NULL', '1e3', '-', '#', ': a', 'a: b', "it's", '"', '0x1', '2024-01-01', '~', 'é\n', ' a ');
  fc.assert(
    fc.property(fc.array(fc.oneof(odd, fc.string({ minLength: 1 })), { minLength: 2, maxLength: 5 }), (names) => {
      const text = renderExperiment({ ...draft, folder: { ...draft.folder, path: names[0] }, classes: names });
      const { spec } = load(text) as ExperimentInput;
      assert.equal([spec.dataset.folder?.path, spec.dataset.classes], [names[0], names]);
    }),
  );
});

test('a path with odd characters is one word for a shell', () => {
  assert.equal(['data/a-1.png', 'my data', "it's"].map(quote), ['data/a-1.png', "'my data'", "'it'\\''s'"]);
});

test.run();
