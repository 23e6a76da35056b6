import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataset, parseLabels } from '../../../trainer-image/data/dataset.ts';
import { withMasks } from '../../../trainer-image/data/types.ts';
import { BadInputError, BadInputErrors } from '../../../trainer-image/errors.ts';
import { createTestFolder, fillFolder } from './folders.ts';
import type { TestFolder } from './folders.ts';

const test = suite<{ folder: TestFolder }>('data set');

test.before.each(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, 3, 2);
});
test.after.each(({ folder }) => folder.remove());

test('a folder opens with its classes and every file of its splits', async ({ folder }) => {
  const { classes, train, val } = await openDataset(folder.settings);
  assert.equal(classes, ['background', 'cat', 'dog']);
  assert.equal(
    train.map((sample) => sample.id),
    ['t0', 't1', 't2'],
  );
  assert.equal(val[1], {
    id: 'v1',
    image: join(folder.path, 'JPEGImages/v1.png'),
    scribble: join(folder.path, 'Scribbles/v1.png'),
    mask: join(folder.path, 'SegmentationClass/v1.png'),
  });
});

test('training images need no mask and validation images no scribble', async ({ folder }) => {
  await rm(join(folder.path, 'SegmentationClass/t1.png'));
  await rm(join(folder.path, 'Scribbles/v0.png'));
  const { train, val } = await openDataset(folder.settings);
  assert.is(train[1].mask, undefined);
  assert.is(val[0].scribble, undefined);
});

const lists: [string, string, string[]][] = [
  ['blank lines, CRLF and spaces', '\r\n t0 \r\n\r\nt2\r\n', ['t0', 't2']],
  ['a byte order mark and no last line break', '\uFEFFt1\nt0', ['t1', 't0']],
  ['VOC’s second column', 't0  1\nt1 -1\nt2  0\n', ['t0', 't1', 't2']],
  ['paths of image and mask', '/JPEGImages/t0.jpg /SegmentationClass/t0.png\nJPEGImages/t2.png SegmentationClass/t2.png\n', ['t0', 't2']],
];
for (const [name, text, ids] of lists) {
  test(`a split list may have ${name}`, async ({ folder }) => {
    await folder.write('ImageSets/train.txt', text);
    const { train } = await openDataset(folder.settings);
    assert.equal(
      train.map((sample) => sample.id),
      ids,
    );
  });
}

test('names with dots and spaces, and every extension, are found', async ({ folder }) => {
  const images = ['a.b.jpg', 'c d.JPEG', 'e.webp', 'f.JPG'];
  const ids = ['a.b', 'c d', 'e', 'f'];
  for (const image of images) await folder.write(`JPEGImages/${image}`, '');
  for (const id of ids) await folder.writeLabels(`Scribbles/${id}.png`, 1, 1, [0]);
  await folder.write('ImageSets/train.txt', ids.join('\n'));
  const { train } = await openDataset(folder.settings);
  assert.equal(
    train.map((sample) => [sample.id, sample.image]),
    ids.map((id, i) => [id, join(folder.path, 'JPEGImages', images[i])]),
  );
});

test('classes of the experiment take precedence over labels.txt', async ({ folder }) => {
  const { classes } = await openDataset({ ...folder.settings, classes: ['ground', 'kitten', 'puppy'] });
  assert.equal(classes, ['ground', 'kitten', 'puppy']);
  await rm(join(folder.path, 'labels.txt'));
  assert.is((await openDataset({ ...folder.settings, classes: ['a', 'b', 'c'] })).classes.length, 3);
});

type Refusal = [why: string, damage: (folder: TestFolder) => Promise<unknown>, file: string, field: string | undefined, message: RegExp];
const remove = (name: string) => (folder: TestFolder) => rm(join(folder.path, name), { recursive: true });
const write = (name: string, text: string) => (folder: TestFolder) => folder.write(name, text);
const SETTINGS = 'spec.dataset.folder';
const refusals: Refusal[] = [
  ['the folder is missing', remove(''), '', `${SETTINGS}.path`, /does not exist/],
  ['the folder of images is missing', remove('JPEGImages'), 'JPEGImages', `${SETTINGS}.images`, /does not exist/],
  ['the folder of scribbles is missing', remove('Scribbles'), 'Scribbles', `${SETTINGS}.scribbles`, /does not exist/],
  ['a split list is missing', remove('ImageSets/val.txt'), 'ImageSets/val.txt', `${SETTINGS}.valSplit`, /does not exist/],
  [
    'a split list is a folder',
    async (folder) => {
      await rm(join(folder.path, 'ImageSets/val.txt'));
      await mkdir(join(folder.path, 'ImageSets/val.txt'));
    },
    'ImageSets/val.txt',
    `${SETTINGS}.valSplit`,
    /cannot be read/,
  ],
  ['a split is empty', write('ImageSets/train.txt', '\n \r\n'), 'ImageSets/train.txt', `${SETTINGS}.trainSplit`, /empty/],
  ['an image is missing', remove('JPEGImages/t1.png'), 'ImageSets/train.txt', `${SETTINGS}.trainSplit`, /line 2: no image "t1"/],
  [
    'an image is listed twice',
    write('ImageSets/val.txt', 'v0\nv1\n\nv0\n'),
    'ImageSets/val.txt',
    `${SETTINGS}.valSplit`,
    /"v0" is listed twice, in lines 1 and 4/,
  ],
  [
    'an image is in both lists',
    write('ImageSets/val.txt', 'v0\nJPEGImages/t2.png\n'),
    'ImageSets/val.txt',
    `${SETTINGS}.valSplit`,
    /ImageSets\/train\.txt lists "t2", too: .*take it off one of the two lists$/,
  ],
  [
    'many images are in both lists',
    async (folder) => {
      await fillFolder(folder, 5, 2);
      await folder.write('ImageSets/val.txt', 't4\nt3\nv0\nt2\nt1\n');
    },
    'ImageSets/val.txt',
    `${SETTINGS}.valSplit`,
    /train\.txt lists "t4", "t3", "t2", … \(4 images\), too: /,
  ],
  [
    'a scribble is missing',
    remove('Scribbles/t2.png'),
    'Scribbles/t2.png',
    `${SETTINGS}.scribbles`,
    /"t2" of the training split has no scribble/,
  ],
  [
    'a mask of the validation split is missing',
    remove('SegmentationClass/v0.png'),
    'SegmentationClass/v0.png',
    `${SETTINGS}.masks`,
    /"v0" of the validation split has no mask/,
  ],
  ['class names are missing', remove('labels.txt'), 'labels.txt', 'spec.dataset.classes', /no class names/],
];
for (const [why, damage, file, field, message] of refusals) {
  test(`${why}: refused, naming file and setting`, async ({ folder }) => {
    await damage(folder);
    const error: unknown = await openDataset(folder.settings).catch((caught: unknown) => caught);
    assert.instance(error, BadInputError);
    const bad = error as BadInputError;
    assert.is(bad.file, join(folder.path, file).replace(/\/$/, ''));
    assert.is(bad.field, field);
    assert.match(bad.message, message);
  });
}

test('of several missing scribbles, masks or images of a list the first few are named', async ({ folder }) => {
  for (const name of ['t0', 't2']) await rm(join(folder.path, `Scribbles/${name}.png`));
  await folder.write('ImageSets/val.txt', 'v0\nx\n\ny\nz\nu\nw\n');
  const first: unknown = await openDataset(folder.settings).catch((caught: unknown) => caught);
  assert.is((first as BadInputError).field, `${SETTINGS}.valSplit`);
  assert.match(
    (first as BadInputError).message,
    /line 2: no image "x" .*; nor is there one for "y" of line 4, "z" of line 5, "u" of line 6, … \(4 more\)$/,
  );
  await folder.write('ImageSets/val.txt', 'v0\nv1\n');
  const second: unknown = await openDataset(folder.settings).catch((caught: unknown) => caught);
  assert.match((second as BadInputError).message, /"t0" of the training split has no scribble; .*; nor is there one for "t2"$/);
});

test('everything that is wrong is found in one look', async ({ folder }) => {
  await rm(join(folder.path, 'labels.txt'));
  await rm(join(folder.path, 'Scribbles/t2.png'));
  await rm(join(folder.path, 'SegmentationClass/v1.png'));
  await folder.write('ImageSets/val.txt', 'v1\nt0\n');
  const error: unknown = await openDataset(folder.settings).catch((caught: unknown) => caught);
  assert.instance(error, BadInputErrors);
  const { errors, file, message } = error as BadInputErrors;
  assert.equal(
    errors.map(({ field }) => field),
    ['spec.dataset.classes', `${SETTINGS}.valSplit`, `${SETTINGS}.scribbles`, `${SETTINGS}.masks`],
  );
  assert.is(file, join(folder.path, 'labels.txt'));
  assert.match(message, /^no class names: .*the first of 4 findings; `cdsp validate` shows all/);
});

const missingNames: [why: string, masks: string, said: RegExp][] = [
  ['what is in the folder', 'Truth', /^does not exist; \/.* holds ImageSets, JPEGImages, Scribbles, SegmentationClass, labels\.txt$/],
  ['what is in the nearest folder that is there', 'Truth/2012/final', /^does not exist; \/.* holds ImageSets, /],
];
for (const [why, masks, said] of missingNames) {
  test(`a folder that does not exist is answered with ${why}`, async ({ folder }) => {
    const settings = { folder: { ...folder.settings.folder!, masks } };
    const error: unknown = await openDataset(settings).catch((caught: unknown) => caught);
    assert.match((error as BadInputError).message, said);
  });
}

test('in a folder of many entries the nearest name is shown', async ({ folder }) => {
  for (let i = 0; i < 12; i++) await folder.write(`ImageSets/fold${i}.txt`, '');
  const read = async (valSplit: string) => {
    const error: unknown = await openDataset({ folder: { ...folder.settings.folder!, valSplit } }).catch((caught: unknown) => caught);
    return (error as BadInputError).message;
  };
  assert.match(await read('ImageSets/vla.txt'), /^does not exist; did you mean \/.*\/ImageSets\/val\.txt\?$/);
  assert.match(await read('ImageSets/evaluation'), /^does not exist; \/.* holds fold0\.txt, fold1\.txt, .*, … \(14 entries\)$/);
});

const VOC_LISTS = { trainSplit: 'ImageSets/Segmentation/train.txt', valSplit: 'ImageSets/Segmentation/val.txt' };
const ids = (samples: readonly { readonly id: string }[]) => samples.map(({ id }) => id);

test('the folder of masks may be missing or empty: then no image has one', async ({ folder }) => {
  await rm(join(folder.path, 'SegmentationClass'), { recursive: true });
  assert.equal(withMasks((await openDataset(folder.settings)).val), []);
  await mkdir(join(folder.path, 'SegmentationClass'));
  const { val } = await openDataset(folder.settings);
  assert.equal([ids(val), withMasks(val)], [['v0', 'v1'], []]);
});

test('a folder of masks under a name of one’s own must be there', async ({ folder }) => {
  const settings = { folder: { ...folder.settings.folder!, masks: 'Segmentationclass' } };
  const error: unknown = await openDataset(settings).catch((caught: unknown) => caught);
  assert.instance(error, BadInputError);
  const { file, field } = error as BadInputError;
  assert.equal([file, field], [join(folder.path, 'Segmentationclass'), `${SETTINGS}.masks`]);
});

test('without lists every image with a scribble is trained on, in the order of the names, and there is no validation', async ({
  folder,
}) => {
  await rm(join(folder.path, 'Scribbles/t1.png'));
  await folder.writeLabels('Scribbles/no-image.png', 1, 1, [0]);
  const { train, val } = await openDataset({ folder: { ...folder.settings.folder!, ...VOC_LISTS } });
  assert.equal([ids(train), ids(val)], [['t0', 't2', 'v0', 'v1'], []]);
});

test('without a list for training no image of the validation split is trained on', async ({ folder }) => {
  const { train, val } = await openDataset({ folder: { ...folder.settings.folder!, trainSplit: VOC_LISTS.trainSplit } });
  assert.equal(
    [ids(train), ids(val)],
    [
      ['t0', 't1', 't2'],
      ['v0', 'v1'],
    ],
  );
});

test('without lists and without a scribble of an image’s name there is nothing to train on', async ({ folder }) => {
  await rm(join(folder.path, 'Scribbles'), { recursive: true });
  await folder.writeLabels('Scribbles/t0-scribble.png', 1, 1, [0]);
  const error: unknown = await openDataset({ folder: { ...folder.settings.folder!, ...VOC_LISTS } }).catch((caught: unknown) => caught);
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).field, `${SETTINGS}.scribbles`);
});

test('another number of classes than labels.txt names is refused', async ({ folder }) => {
  const error: unknown = await openDataset({ ...folder.settings, classes: ['background', 'cat'] }).catch((caught: unknown) => caught);
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).message, 'labels.txt names 3 classes, spec.dataset.classes 2');
});

const labelFiles: [string, string, string[]][] = [
  ['tabs, CRLF and blank lines', '0\tbackground\r\n\r\n1\tpotted plant\r\n', ['background', 'potted plant']],
  ['colons and any order', '1: cat\n0: background\n', ['background', 'cat']],
  ['the ignored pixels', '0 background\n1 cat\n255 ignore\n', ['background', 'cat']],
];
for (const [name, text, classes] of labelFiles)
  test(`labels.txt may have ${name}`, () => assert.equal(parseLabels(text, 'labels.txt'), classes));

const badLabelFiles: [string, string, RegExp][] = [
  ['a line without an index', '0 background\ncat\n', /line 2 must be an index and a name/],
  ['an index without a name', '0 background\n1\n', /line 2 must be/],
  ['an index twice', '0 a\n1 b\n1 c\n', /line 3: class 1 is named twice/],
  ['a gap', '0 a\n2 b\n', /class 1 has no name/],
  ['an index too large', '0 a\n256 b\n', /above 254/],
  ['one class only', '0 background\n', /fewer than two/],
];
for (const [name, text, message] of badLabelFiles) {
  test(`labels.txt with ${name} is refused`, () => {
    assert.throws(
      () => parseLabels(text, 'labels.txt'),
      (error: unknown) => error instanceof BadInputError && error.file === 'labels.txt' && message.test(error.message),
    );
  });
}

test.run();
