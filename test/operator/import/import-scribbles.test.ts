import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { VOC_CLASSES } from '../../../operator/import/class-names.ts';
import { importScribbles } from '../../../operator/import/import-scribbles.ts';
import { parseValueMap } from '../../../operator/import/value-map.ts';
import { encodeIndexPng, readIndexPng, VOC_PALETTE } from '../../../trainer-image/data/index-png.ts';
import { badInput, png, withFolder } from './folder.ts';

const xml = (tag: string, x = 2, width = 6) =>
  `<annotation><size><width>${width}</width><height>4</height></size><polygon><tag>${tag}</tag><point><X>${x}</X><Y>1</Y></point></polygon></annotation>`;
const rgb = (...colours: [number, number, number][]) => png(colours.length, colours.flat(), 3);
const image = png(6, new Array<number>(24).fill(7), 1);
const read = async (file: string) => [...(await readIndexPng(file)).data];

test('XML strokes become index PNGs, with a summary', () =>
  withFolder({ 'xml/a.xml': xml('cat'), 'xml/b.xml': xml('background') }, async (folder) => {
    const done: string[] = [];
    const summary = await importScribbles({
      source: join(folder, 'xml'),
      output: join(folder, 'out'),
      strokeWidth: 1,
      onProgress: (count, total) => done.push(`${count}/${total}`),
    });
    const map = await readIndexPng(join(folder, 'out', 'a.png'));
    assert.equal([map.width, map.height, map.data[8], map.data[0]], [6, 4, 1, 255]);
    assert.equal([summary.format, summary.files, summary.classes.length], ['Strokes', 2, 2]);
    assert.equal(summary.classes[1], { index: 1, name: 'cat', files: 1, pixels: 1 });
    assert.is(summary.annotatedShare, 2 / 48);
    assert.equal(done, ['1/2', '2/2']);
    assert.equal((await readdir(join(folder, 'out'))).sort(), ['a.png', 'b.png']);
  }));

const own: [why: string, tags: string[], classes: string[]][] = [
  [
    'VOC’s classes keep VOC’s order, names and no gaps',
    ['tv', 'horse', 'background', 'plane'],
    ['background', 'aeroplane', 'horse', 'tvmonitor'],
  ],
  ['the background is there where it does not occur', ['cat'], ['background', 'cat']],
  ['other classes come by the alphabet, as they are written', ['owl', 'plant', 'Fox', 'FOX'], ['background', 'FOX', 'owl', 'plant']],
  ['a short name beside the long one is the same class', ['owl', 'tv', 'tvmonitor', 'bg'], ['background', 'owl', 'tvmonitor']],
];
for (const [why, tags, classes] of own) {
  test(`tags are the classes: ${why}`, () =>
    withFolder(Object.fromEntries(tags.map((tag, index) => [`xml/${index}.xml`, xml(tag)])), async (folder) => {
      const summary = await importScribbles({ source: join(folder, 'xml'), output: join(folder, 'out') });
      assert.equal(
        summary.classes.map(({ name }) => name),
        classes,
      );
      assert.equal(summary.labels, { file: join(folder, 'labels.txt'), state: 'Written' });
      const text = classes.map((name, index) => `${index} ${name}\n`).join('');
      assert.is(await readFile(join(folder, 'labels.txt'), 'utf8'), text);
    }));
}

const places: [why: string, output: string, images: string | undefined, labels: string][] = [
  ['beside the output', 'data/out', undefined, 'data/labels.txt'],
  ['beside images and output', 'data/out', 'data/images', 'data/labels.txt'],
  ['among the images, where these are the data folder', 'data/out', 'data', 'data/labels.txt'],
  ['beside the images, where the output lies deeper', 'data/annotations/out', 'data/images', 'data/labels.txt'],
  ['beside the output, where the images are elsewhere', 'data/annotations/out', 'pictures/images', 'data/annotations/labels.txt'],
];
for (const [why, output, images, labels] of places) {
  test(`class names are kept ${why}`, () =>
    withFolder(
      { 'xml/a.xml': xml('owl'), 'data/a.png': image, 'data/images/a.png': image, 'pictures/images/a.png': image },
      async (folder) => {
        const options = { source: join(folder, 'xml'), output: join(folder, output) };
        const summary = await importScribbles({ ...options, images: images === undefined ? undefined : join(folder, images) });
        assert.is(summary.labels?.file, join(folder, labels));
      },
    ));
}

test('class names that are there stay, and other ones are told', () =>
  withFolder({ 'xml/a.xml': xml('cat'), 'labels.txt': '0 background\n1 dog\n' }, async (folder) => {
    const options = { source: join(folder, 'xml'), output: join(folder, 'out'), classes: ['background', 'cat'] };
    assert.is((await importScribbles(options)).labels?.state, 'Different');
    assert.is(await readFile(join(folder, 'labels.txt'), 'utf8'), '0 background\n1 dog\n');
  }));

test('masks whose classes nobody names leave no names behind', () =>
  withFolder({ 'masks/a.png': png(3, [0, 1, 255], 1) }, async (folder) => {
    const summary = await importScribbles({ source: join(folder, 'masks'), output: join(folder, 'out') });
    assert.is(summary.labels, undefined);
    assert.equal((await readdir(folder)).sort(), ['masks', 'out']);
  }));

test('labels.txt beside the folder gives the classes', () =>
  withFolder({ 'xml/a.xml': xml('owl'), 'labels.txt': '0 background\n1 owl\n' }, async (folder) => {
    const summary = await importScribbles({ source: join(folder, 'xml'), output: join(folder, 'out') });
    assert.equal(
      summary.classes.map(({ name }) => name),
      ['background', 'owl'],
    );
  }));

test('colour masks are read with VOC’s palette', () =>
  withFolder({ 'masks/a.png': rgb([0, 0, 0], [64, 0, 0], [224, 224, 192]) }, async (folder) => {
    const summary = await importScribbles({ source: join(folder, 'masks'), output: join(folder, 'out') });
    assert.equal(await read(join(folder, 'out', 'a.png')), [0, 1, 255]);
    assert.is(summary.format, 'Colour');
    assert.match(summary.explanation, '#400000 is cat');
    assert.is(await readFile(join(folder, 'labels.txt'), 'utf8'), '0 background\n1 cat\n');
  }));

test('a class list is met by VOC’s colours of its indices, or of its names where the files have these', () =>
  withFolder(
    { 'a/a.png': rgb([0, 0, 0], [128, 0, 0]), 'b/a.png': rgb([64, 0, 128], [64, 0, 0]), 'labels.txt': '0 background\n1 cat\n2 dog\n' },
    async (folder) => {
      const wants: [source: string, labels: number[]][] = [
        ['a', [0, 1]],
        ['b', [2, 1]],
      ];
      for (const [source, labels] of wants) {
        await importScribbles({ source: join(folder, source), output: join(folder, `${source}-out`) });
        assert.equal(await read(join(folder, `${source}-out`, 'a.png')), labels);
      }
    },
  ));

test('colour masks are read with a colours file; transparent pixels are not annotated', () =>
  withFolder(
    { 'masks/a.png': png(3, [9, 9, 9, 255, 200, 0, 0, 255, 200, 0, 0, 0], 4), 'c.txt': '9 9 9 background\n200 0 0 cat' },
    async (folder) => {
      const summary = await importScribbles({ source: join(folder, 'masks'), output: join(folder, 'out'), colours: join(folder, 'c.txt') });
      assert.equal(await read(join(folder, 'out', 'a.png')), [0, 1, 255]);
      assert.equal(
        summary.classes.map(({ name }) => name),
        ['background', 'cat'],
      );
    },
  ));

test('any index map survives the way through VOC’s colours', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant(255)), { minLength: 1, maxLength: 30 }), (values) =>
      withFolder({ 'masks/a.png': rgb(...values.map((value) => [...VOC_PALETTE[value]] as [number, number, number])) }, async (folder) => {
        await importScribbles({ source: join(folder, 'masks'), output: join(folder, 'out'), format: 'Colour', classes: VOC_CLASSES });
        assert.equal(await read(join(folder, 'out', 'a.png')), values);
      }),
    ),
    { numRuns: 25 },
  ));

test('index PNGs in use already pass unchanged', () => {
  const map = { width: 4, height: 1, data: Uint8Array.of(0, 3, 255, 255) };
  return withFolder({ 'masks/a.png': encodeIndexPng(map) }, async (folder) => {
    await importScribbles({ source: join(folder, 'masks'), output: join(folder, 'out') });
    assert.equal(await readIndexPng(join(folder, 'out', 'a.png')), map);
  });
});

test('sparse 0, 1, 2 are unlabelled, foreground and background, unless a map says otherwise', () =>
  withFolder({ 'masks/a.png': png(32, [1, 2, ...new Array<number>(30).fill(0)], 1) }, async (folder) => {
    const source = join(folder, 'masks');
    const guessed = await importScribbles({ source, output: join(folder, 'out') });
    assert.equal((await read(join(folder, 'out', 'a.png'))).slice(0, 3), [1, 0, 255]);
    assert.match(guessed.explanation, '1 is the foreground, 2 the background');
    const told = await importScribbles({ source, output: join(folder, 'out'), map: parseValueMap('0=255,1=0,2=1'), overwrite: true });
    assert.equal((await read(join(folder, 'out', 'a.png'))).slice(0, 3), [0, 1, 255]);
    assert.match(told.explanation, '1 → 0');
  }));

interface Refusal {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly options?: (folder: string) => object;
  readonly message: RegExp;
  readonly file: string;
}
const refusals: Record<string, Refusal> = {
  'unknown colours, all at once with how often they occur': {
    files: { 'in/a.png': rgb([0, 0, 0], [1, 2, 3]), 'in/b.png': rgb([1, 2, 3], [1, 2, 3], [9, 9, 10]) },
    message:
      /2 colours stand for no class; the most frequent is #010203, first at pixel \(1, 0\).*\n {2}#010203 {2}3 pixels in 2 files, e\.g\. a\.png\n {2}#09090a {2}1 pixels in 1 file/,
    file: 'in/a.png',
  },
  'a slip in the name of a class': {
    files: { 'in/a.xml': xml('hosre'), 'in/b.xml': xml('horse') },
    message: /did you mean "horse"/,
    file: 'in/a.xml',
  },
  'a class that the list lacks': {
    files: { 'in/a.xml': xml('owl') },
    options: () => ({ classes: ['background', 'cat'] }),
    message: /unknown class "owl"/,
    file: 'in/a.xml',
  },
  'a point outside': { files: { 'in/a.xml': xml('cat', 9) }, message: /outside the image of 6×4/, file: 'in/a.xml' },
  'a size that differs from the image’s': {
    files: { 'in/a.xml': xml('cat', 2, 7), 'images/a.png': image },
    options: (folder) => ({ images: join(folder, 'images') }),
    message: /<size> is 7×4, its image 6×4/,
    file: 'in/a.xml',
  },
  'a mask of another size than its image': {
    files: { 'in/a.png': png(3, [0, 1, 255], 1), 'images/a.png': image },
    options: (folder) => ({ images: join(folder, 'images') }),
    message: /is 3×1 pixels, its image 6×4/,
    file: 'in/a.png',
  },
  'an annotation without an image': {
    files: { 'in/b.xml': xml('cat'), 'images/a.png': image },
    options: (folder) => ({ images: join(folder, 'images') }),
    message: /no image "b"/,
    file: 'in/b.xml',
  },
  'a folder without masks': { files: { 'in/a.jpg': 'x' }, message: /no PNG or XML/, file: 'in' },
  'two files of one name': {
    files: { 'in/a.PNG': rgb([128, 0, 0]), 'in/a.png': rgb([128, 0, 0]) },
    message: /two files .* "a\.png"/,
    file: 'in',
  },
  'a damaged PNG': { files: { 'in/a.png': 'x' }, message: /not a readable PNG/, file: 'in/a.png' },
  'a value that is not in the map': {
    files: { 'in/a.png': png(3, [0, 1, 5], 1) },
    options: () => ({
      map: new Map([
        [0, 255],
        [1, 1],
      ]),
    }),
    message: /value 5 \(1 pixels in 1 files, first at \(2, 0\) of this file\) is not in the map/,
    file: 'in/a.png',
  },
  'a value beyond the class list': {
    files: { 'in/a.png': png(3, [0, 7, 255], 1) },
    options: () => ({ classes: ['background', 'cat'] }),
    message: /would be class 7, but there are 2 classes/,
    file: 'in/a.png',
  },
  'a map for colour masks': {
    files: { 'in/a.png': rgb([0, 1, 2]) },
    options: () => ({ map: new Map([[0, 0]]) }),
    message: /--map does not apply/,
    file: 'in/a.png',
  },
  'a map for strokes': {
    files: { 'in/a.xml': xml('cat') },
    options: () => ({ map: new Map([[0, 0]]) }),
    message: /is for masks of values; strokes name their classes/,
    file: 'in',
  },
  'a width for masks': {
    files: { 'in/a.png': rgb([0, 1, 2]) },
    options: () => ({ strokeWidth: 3 }),
    message: /is for XML strokes/,
    file: 'in',
  },
  'both a map and colours': {
    files: { 'in/a.png': rgb([0, 1, 2]) },
    options: (folder) => ({ map: new Map([[0, 0]]), colours: join(folder, 'colours.txt') }),
    message: /give one of the two/,
    file: 'in',
  },
  'colour masks among index PNGs': {
    files: { 'in/a.png': rgb([128, 0, 0]), 'in/b.png': encodeIndexPng({ width: 1, height: 1, data: Uint8Array.of(1) }) },
    message: /others are index PNGs/,
    file: 'in/a.png',
  },
};
for (const [what, { files, options, message, file }] of Object.entries(refusals)) {
  test(`${what} is refused, and nothing is written`, () =>
    withFolder(files, async (folder) => {
      const output = join(folder, 'out');
      const error = await badInput(importScribbles({ source: join(folder, 'in'), output, ...options?.(folder) }));
      assert.match(error.message, message);
      assert.is(error.file, join(folder, file));
      assert.equal(await readdir(output).catch(() => []), []);
    }));
}

test('a later bad file keeps earlier ones from appearing, and old files stay', () =>
  withFolder({ 'in/a.xml': xml('cat'), 'in/b.xml': '<annotation>', 'out/a.png': 'old' }, async (folder) => {
    await badInput(importScribbles({ source: join(folder, 'in'), output: join(folder, 'out'), overwrite: true }));
    assert.equal(await readdir(join(folder, 'out')), ['a.png']);
    assert.is(await readFile(join(folder, 'out', 'a.png'), 'utf8'), 'old');
  }));

test('files in the output are replaced only when asked', () =>
  withFolder({ 'in/a.xml': xml('cat') }, async (folder) => {
    const options = { source: join(folder, 'in'), output: join(folder, 'out') };
    await importScribbles(options);
    await writeFile(join(folder, 'out', 'a.png'), 'drawn by hand');
    assert.match((await badInput(importScribbles(options))).message, '--overwrite');
    await importScribbles({ ...options, overwrite: true });
    assert.is((await readIndexPng(join(folder, 'out', 'a.png'))).width, 6);
  }));

test('the source is never overwritten, not even when asked', () =>
  withFolder({ 'in/a.png': rgb([128, 0, 0]) }, async (folder) => {
    const source = join(folder, 'in');
    const error = await badInput(importScribbles({ source, output: `${source}/../in`, overwrite: true }));
    assert.match(error.message, 'would overwrite their source');
    assert.equal(await readdir(source), ['a.png']);
  }));

test.run();
