import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../../../operator/api/parse.ts';
import { withFolder } from '../../local/temporary-folder.ts';
import { runCli } from '../cli-process.ts';
import { colourPicture, indexPng, writeFiles, writeVocFolder } from '../fixtures.ts';

/** Runs the commands that init printed. */
async function follow(stdout: string, folder: string, pattern: RegExp): Promise<void> {
  const commands = stdout.match(pattern) ?? [];
  assert.ok(commands.length > 0, stdout);
  for (const command of commands) {
    const result = await runCli(command.trim().split(' ').slice(1), { cwd: folder });
    assert.is(result.code, 0, command + result.stderr);
  }
}
const IMPORTS = /\S+ import .*/g;

const LABELS = '0 background\n1 cat\n2 dog\n';
const lists = { 'data/ImageSets/Segmentation/train.txt': 'image-0\nimage-1\n', 'data/ImageSets/Segmentation/val.txt': 'image-2\n' };

const readExperiment = (folder: string) => parseExperiment(readFileSync(join(folder, 'cdsp.yaml'), 'utf8'), 'cdsp.yaml');

test('a complete folder gives an experiment that is valid as it is', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    writeFiles(folder, { ...lists, 'data/labels.txt': LABELS });
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 0, stdout);
    assert.match(stdout, /images +JPEGImages\/, 10 files, about 64×48 pixels\n/);
    assert.match(stdout, /labels\.txt: background, cat, dog\n/);
    const { spec, metadata } = readExperiment(folder);
    assert.is(metadata.name, 'data');
    const [, reference] = /all settings are in (.*)\n/.exec(readFileSync(join(folder, 'cdsp.yaml'), 'utf8')) ?? [];
    assert.match(readFileSync(reference, 'utf8'), 'warmupEpochs');
    assert.is(spec.dataset.folder?.path, 'data');
    assert.is(spec.dataset.classes, undefined);
    assert.is(spec.model.backbone, 'efficientnet-lite0');
    const validation = await runCli(['validate', 'cdsp.yaml'], { cwd: folder });
    assert.match(validation.stdout, /2 training and 1 validation images, 3 classes/);
  }));

test('usual names of other data sets are found', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'), { images: 'Images', scribbles: 'scribble_annotations', masks: 'annotations/masks' });
    writeFiles(folder, { 'data/splits/train.txt': 'image-0\n', 'data/splits/val.txt': 'image-1\n' });
    const { code } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 0);
    const found = readExperiment(folder).spec.dataset.folder;
    assert.equal(found, {
      path: 'data',
      images: 'Images',
      scribbles: 'scribble_annotations',
      masks: 'annotations/masks',
      trainSplit: 'splits/train.txt',
      valSplit: 'splits/val.txt',
    });
  }));

test('without split lists the gap is named, and nothing is written into the data folder', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    const { code, stdout } = await runCli(['init', 'data', '-o', 'mine.yaml'], { cwd: folder });
    assert.is(code, 65);
    assert.match(stdout, /Missing:\n {2}- no split lists\n {4}write both: .*init data --output mine\.yaml --make-splits --force\n/);
    assert.equal(readdirSync(join(folder, 'data')).sort(), ['JPEGImages', 'SegmentationClass', 'Scribbles'].sort());
  }));

test('--make-splits writes the same lists every time, and never over others', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    const first = await runCli(['init', 'data', '--make-splits'], { cwd: folder });
    assert.is(first.code, 0, first.stdout + first.stderr);
    const read = () => ['train', 'val'].map((split) => readFileSync(join(folder, `data/ImageSets/Segmentation/${split}.txt`), 'utf8'));
    const splits = read();
    assert.equal(
      splits.map((text) => text.trimEnd().split('\n').length),
      [8, 2],
    );
    rmSync(join(folder, 'data/ImageSets'), { recursive: true });
    await runCli(['init', 'data', '--make-splits', '--force'], { cwd: folder });
    assert.equal(read(), splits);

    rmSync(join(folder, 'data/ImageSets/Segmentation/val.txt'));
    const third = await runCli(['init', 'data', '--make-splits', '--force'], { cwd: folder });
    assert.is(third.code, 65);
    assert.match(third.stderr, /error: .*train\.txt: the split list exists/);
    assert.not.ok(existsSync(join(folder, 'data/ImageSets/Segmentation/val.txt')));
  }));

test('--make-splits leaves most of the few annotated images to training, and says that they are few', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    const jpeg = await colourPicture('jpeg', 200);
    for (let index = 10; index < 50; index++) writeFiles(folder, { [`data/JPEGImages/image-${index}.jpg`]: jpeg });
    const { code, stdout } = await runCli(['init', 'data', '--make-splits'], { cwd: folder });
    assert.is(code, 0, stdout);
    assert.match(stdout, /train\.txt \(8 names\) and ImageSets\/Segmentation\/val\.txt \(2 names\)\./);
    assert.match(stdout, /\nFew to train on: 8 training images; 10 of 50 images have a scribble\.\n/);
  }));

test('without labels.txt the classes come from the masks, with names to replace', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    writeFiles(folder, lists);
    const { stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.match(stdout, /Nothing names the classes/);
    assert.equal(readExperiment(folder).spec.dataset.classes, ['background', 'class-1', 'class-2']);
  }));

test('colour masks are answered with the import that converts them', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    const colour = await colourPicture('png', 192);
    writeFiles(folder, { ...lists, 'data/labels.txt': LABELS });
    for (let index = 0; index < 10; index++) writeFiles(folder, { [`data/SegmentationClass/image-${index}.png`]: colour });
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65);
    assert.match(
      stdout,
      /the masks in SegmentationClass are not index PNGs yet\n +\S+ import data\/SegmentationClass --output data\/SegmentationClass-index --images data\/JPEGImages\n/,
    );
    assert.is(readExperiment(folder).spec.dataset.folder?.masks, 'SegmentationClass-index');
  }));

test('colour masks without scribbles: first the import, then synth on what it made; afterwards nothing is missing', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'), { masks: 'annotations' });
    rmSync(join(folder, 'data/Scribbles'), { recursive: true });
    const colour = await colourPicture('png', 64);
    writeFiles(folder, { 'colours.txt': '64 40 40 cat\n0 0 0 background\n', 'data/labels.txt': '0 background\n1 cat\n', ...lists });
    for (let index = 0; index < 10; index++) writeFiles(folder, { [`data/annotations/image-${index}.png`]: colour });
    const first = await runCli(['init', 'data'], { cwd: folder });
    const command = 'data/annotations --output data/annotations-index --images data/JPEGImages';
    assert.match(
      first.stdout,
      new RegExp(`Missing:\n +- the masks .*\n.* import ${command}\n +- no scribbles\n.* synth data/annotations-index `),
    );
    const imported = await runCli(['import', ...command.split(' '), '--colors', 'colours.txt'], { cwd: folder });
    assert.is(imported.code, 0, imported.stderr);
    await follow(first.stdout, folder, /\S+ synth .*/g);
    const second = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.is(second.code, 0, second.stdout);
    assert.is(readExperiment(folder).spec.dataset.folder?.masks, 'annotations-index');
  }));

test('strokes in a folder of annotations are scribbles before and after their import, and later ones are missed; boxes are not', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    rmSync(join(folder, 'data/Scribbles'), { recursive: true });
    const write = (index: number, content: string) => writeFiles(folder, { [`data/Annotations/image-${index}.xml`]: content });
    const size = '<size><width>64</width><height>48</height></size>';
    const box = `<annotation>${size}<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object></annotation>`;
    const point = '<point><X>9</X><Y>9</Y></point>';
    const stroke = `<annotation>${size}<polygon><tag>cat</tag>${point}</polygon><polygon><tag>dog</tag><point><X>30</X><Y>30</Y></point></polygon></annotation>`;
    writeFiles(folder, { ...lists, 'data/labels.txt': LABELS });
    for (let index = 0; index < 10; index++) write(index, box);
    const boxes = await runCli(['init', 'data'], { cwd: folder });
    assert.match(boxes.stdout, /scribbles +not found\n/);
    for (let index = 0; index < 9; index++) write(index, stroke);
    rmSync(join(folder, 'data/Annotations/image-9.xml'));
    const first = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.match(first.stdout, /the scribbles in Annotations are not index PNGs yet\n/);
    await follow(first.stdout, folder, IMPORTS);
    const second = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.is(second.code, 0, second.stdout);
    const { scribbles, masks } = readExperiment(folder).spec.dataset.folder ?? {};
    assert.equal([scribbles, masks], ['Annotations-index', 'SegmentationClass']);
    write(9, stroke);
    const third = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.match(third.stdout, /1 file of Annotations is not in Annotations-index yet\n/);
    await follow(third.stdout, folder, IMPORTS);
    rmSync(join(folder, 'data/Annotations'), { recursive: true });
    const last = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.is(last.code, 0, last.stdout);
    assert.match(last.stdout, /scribbles +Annotations-index\/, 10 files/);
  }));

test('scribbles that are named like no image are missing ones, and the names are told', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    rmSync(join(folder, 'data/SegmentationClass'), { recursive: true });
    const scribbles = join(folder, 'data/Scribbles');
    for (const file of readdirSync(scribbles)) renameSync(join(scribbles, file), join(scribbles, file.replace('.png', '_scribble.png')));
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65, stdout);
    const problem = '10 scribbles in Scribbles, none named like an image, for example image-0_scribble.png beside image-0.jpg';
    assert.match(stdout, `Missing:\n  - ${problem}\n    name each like its image, such as image-0.png\n`);

    renameSync(join(scribbles, 'image-3_scribble.png'), join(scribbles, 'image-3.png'));
    const some = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.is(some.code, 0, some.stdout);
    assert.match(some.stdout, /scribbles +Scribbles\/, 10 files: .*; 9 of them named like no image, such as image-0_scribble\.png\n/);
  }));

test('a folder of another name that may hold the scribbles is named, with the setting and the names that are looked for', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'), { scribbles: 'scrib' });
    writeFiles(folder, { ...lists, 'data/icons/x.png': indexPng([1], 255), 'data/labels.txt': LABELS });
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65, stdout);
    assert.match(stdout, /\n {2}other +scrib\/, 10 files named like the images\n/);
    assert.match(
      stdout,
      /- no scribbles\n +if scrib holds them, set spec\.dataset\.folder\.scribbles: scrib .*\(recognised: scribbles, .*\), or draw some/,
    );
    assert.not.match(stdout, /icons/);
  }));

test('masks without scribbles are answered with synth', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    rmSync(join(folder, 'data/Scribbles'), { recursive: true });
    writeFiles(folder, lists);
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65);
    const [, output] = /synth data\/SegmentationClass --output (\S+)\n/.exec(stdout) ?? [];
    const drawn = await runCli(['synth', 'data/SegmentationClass', '--output', output], { cwd: folder });
    assert.is(drawn.code, 0, drawn.stderr);
    assert.match(drawn.stdout, /^10 scribbles in data\/Scribbles, /);
    const wide = await runCli(['synth', 'data/SegmentationClass', '--output', 'wide', '--width', '9'], { cwd: folder });
    assert.match(wide.stderr, /warning: 10 of 10 scribbles cover more than 3\.0 % of the image, up to \d+\.\d %: .*--width/);
    const again = await runCli(['init', 'data', '--force'], { cwd: folder });
    assert.is(again.code, 0, again.stdout);
  }));

test('without masks, --make-splits lists what is scribbled for training and what is not for validation', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    rmSync(join(folder, 'data/SegmentationClass'), { recursive: true });
    rmSync(join(folder, 'data/Scribbles/image-3.png'));
    const { code, stdout } = await runCli(['init', 'data', '--make-splits'], { cwd: folder });
    assert.is(code, 0, stdout);
    assert.match(stdout, /train\.txt \(9 names\) and ImageSets\/Segmentation\/val\.txt \(1 name\)\./);
    assert.is(readFileSync(join(folder, 'data/ImageSets/Segmentation/val.txt'), 'utf8'), 'image-3\n');
    const validation = await runCli(['validate', 'cdsp.yaml'], { cwd: folder });
    assert.match(validation.stdout, /9 training and 1 validation images \(nothing will be scored: no masks\)/);
  }));

test('without masks, --make-splits can be repeated: the list that is there is used', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    rmSync(join(folder, 'data/SegmentationClass'), { recursive: true });
    const first = await runCli(['init', 'data', '--make-splits'], { cwd: folder });
    assert.match(first.stdout, /Wrote ImageSets\/Segmentation\/train\.txt \(10 names\)\./);
    writeFiles(folder, { 'data/ImageSets/Segmentation/train.txt': 'image-0\n' });
    const { code, stdout } = await runCli(['init', 'data', '--make-splits', '--force'], { cwd: folder });
    assert.is(code, 0, stdout);
    assert.match(stdout, /ImageSets\/Segmentation\/train\.txt is there and stays as it is.*\nWrote cdsp\.yaml: 1 training image,/);
    assert.is(readFileSync(join(folder, 'data/ImageSets/Segmentation/train.txt'), 'utf8'), 'image-0\n');
  }));

test('one of two lists beside masks: the advice names what has to go', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    writeFiles(folder, { 'data/ImageSets/Segmentation/train.txt': 'image-0\n' });
    const { code, stdout } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65, stdout);
    assert.match(stdout, /only ImageSets.*\n +write the other one, or remove \S+train\.txt and write both: .* --make-splits --force\n/);
  }));

test('an existing experiment is not overwritten', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'data'));
    writeFiles(folder, { 'cdsp.yaml': 'mine' });
    const { code, stderr } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65);
    assert.match(stderr, /^error: cdsp\.yaml: the file exists; .*--force/);
    assert.is(readFileSync(join(folder, 'cdsp.yaml'), 'utf8'), 'mine');
  }));

test('a folder without images is refused', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'data'));
    const { code, stderr } = await runCli(['init', 'data'], { cwd: folder });
    assert.is(code, 65);
    assert.match(stderr, /^error: data: no images /);
    assert.not.ok(existsSync(join(folder, 'cdsp.yaml')));
  }));

test('import converts 0/1/2 scribbles and says by which rule', () =>
  withFolder(async (folder) => {
    for (let index = 0; index < 3; index++) writeFiles(folder, { [`old/image-${index}.png`]: indexPng([1, 2], 0) });
    const { code, stdout, stderr } = await runCli(['import', 'old', '-o', 'new', '--map', '0=255,1=1,2=0'], { cwd: folder });
    assert.is(code, 0, stderr);
    assert.match(stdout, /^3 index PNGs in new, .*\nRule: .*\n\nindex +class +files +pixels\n/);
    const asJson = await runCli(['import', 'old', '-o', 'new', '--map', '0=255,1=1,2=0', '--overwrite', '--json'], { cwd: folder });
    const result = JSON.parse(asJson.stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
    assert.equal([result.type, result.output, result.files, asJson.stderr], ['import', join(folder, 'new'), 3, '']);
    const repeated = await runCli(['import', 'old', '-o', 'new', '--map', '0=255,1=1,2=0'], { cwd: folder });
    assert.is(repeated.code, 65);
    assert.match(repeated.stderr, /--overwrite/);
  }));

test.run();
