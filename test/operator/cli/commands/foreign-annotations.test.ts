// From foreign annotations to an experiment that can run, by the commands that init prints and nothing else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../../../operator/api/parse.ts';
import { resolvePaths } from '../../../../operator/local/paths.ts';
import { openDataset } from '../../../../trainer-image/data/dataset.ts';
import { surveyScribbles } from '../../../../trainer-image/data/survey.ts';
import { withFolder } from '../../local/temporary-folder.ts';
import { runCli } from '../cli-process.ts';
import { colourPicture, indexPng, writeFiles } from '../fixtures.ts';

const IMAGES = 10;
const SIZE = { width: 64, height: 48 };

const stroke = (tag: string, y: number) =>
  `<polygon><tag>${tag}</tag><point><X>2</X><Y>${y}</Y></point><point><X>60</X><Y>${y}</Y></point></polygon>`;
const strokes = () =>
  `<annotation><size><width>64</width><height>48</height></size>${stroke('horse', 10)}${stroke('background', 40)}</annotation>`;

/** VOC's colours: background, with a horse in the upper half. */
function colourMask(): Promise<Uint8Array> {
  const data = new Uint8Array(SIZE.width * SIZE.height * 3);
  for (let pixel = 0; pixel < data.length / 6; pixel++) data.set([192, 0, 128], 3 * pixel);
  return sharp(data, { raw: { ...SIZE, channels: 3 } })
    .png()
    .toBuffer();
}

interface Case {
  readonly why: string;
  /** Folder and files beside the images, for every image. */
  readonly annotations: Readonly<Record<string, () => string | Uint8Array | Promise<Uint8Array>>>;
  readonly classes: readonly string[];
  readonly namesAreKept: boolean;
}

const cases: Case[] = [
  {
    why: 'XML strokes',
    annotations: { 'annotations/*.xml': strokes },
    classes: ['background', 'horse'],
    namesAreKept: true,
  },
  {
    why: 'XML strokes and colour masks',
    annotations: { 'annotations/*.xml': strokes, 'masks/*.png': colourMask },
    classes: ['background', 'horse'],
    namesAreKept: true,
  },
  {
    why: 'colour masks alone, which scribbles are drawn from',
    annotations: { 'annotations/*.png': colourMask },
    classes: ['background', 'horse'],
    namesAreKept: true,
  },
  {
    why: 'value masks',
    annotations: { 'Scribbles/*.png': () => indexPng([1, 2], 0) },
    classes: ['background', 'class-1'],
    namesAreKept: false,
  },
  {
    why: 'index PNGs in VOC’s numbers of few classes',
    annotations: {
      'Scribbles/*.png': () => indexPng([0, 13], 255),
      'SegmentationClass/*.png': () => indexPng([...new Array<number>(20).fill(13), 20], 0),
    },
    classes: ['background', 'class-1'],
    namesAreKept: false,
  },
];

for (const { why, annotations, classes, namesAreKept } of cases) {
  test(`init, import, init, validate, plan: ${why}`, () =>
    withFolder(async (folder) => {
      const jpeg = await colourPicture('jpeg', 200);
      for (let index = 0; index < IMAGES; index++) {
        writeFiles(folder, { [`data/JPEGImages/image-${index}.jpg`]: jpeg });
        for (const [path, make] of Object.entries(annotations))
          writeFiles(folder, { [`data/${path.replace('*', `image-${index}`)}`]: await make() });
      }
      const cli = async (code: number, ...args: string[]) => {
        const result = await runCli(args, { cwd: folder });
        assert.is(result.code, code, `${args.join(' ')}\n${result.stdout}${result.stderr}`);
        return result.stdout;
      };
      const found = await cli(65, 'init', 'data', '--make-splits');
      const printed = found.match(/(?<= )(import|synth) data[^&\n]*/g) ?? [];
      assert.ok(printed.length > 0, found);
      for (const command of printed) await cli(0, ...command.trim().split(' '));
      await cli(0, 'init', 'data', '--make-splits', '--force');
      assert.match(await cli(0, 'validate', 'cdsp.yaml'), new RegExp(`: valid, \\d+ training .*, ${classes.length} classes, `));
      assert.match(await cli(0, 'plan', 'cdsp.yaml'), /Would run: classify, pseudo-label, segment, evaluate\./);

      const text = readFileSync(join(folder, 'cdsp.yaml'), 'utf8');
      const { spec } = resolvePaths(parseExperiment(text, 'cdsp.yaml'), folder);
      const dataset = await openDataset(spec.dataset);
      assert.equal(dataset.classes, classes);
      assert.is(spec.dataset.classes === undefined, namesAreKept);
      // What the first stage refuses is refused here: classes beyond the list, and classes that no scribble shows.
      const { imageLabels } = await surveyScribbles(dataset);
      assert.is(imageLabels.size, dataset.train.length);
    }));
}

test.run();
