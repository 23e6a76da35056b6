import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import type { NamedArrays } from '../../../../trainer-image/model/weights/elements.ts';
import { loadWeights, matchWeights } from '../../../../trainer-image/model/weights/match-weights.ts';
import { writeSafetensors } from '../../../../trainer-image/model/weights/safetensors.ts';

const test = suite<{ folder: string }>('match-weights', { folder: '' });
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'cdsp-match-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

/** Tensors of one element each, numbered, or of the given shape. */
function arrays(...names: (string | [name: string, shape: number[]])[]): NamedArrays {
  return new Map(
    names.map((entry, index) => {
      const [name, shape] = typeof entry === 'string' ? [entry, [1]] : entry;
      return [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(index + 1) }];
    }),
  );
}

const backbone = new Map([
  ['backbone.conv1.weight', [1]],
  ['backbone.layer1.0.bn1.running_mean', [1]],
]);
const model = new Map([...backbone, ['aspp.pool.conv.weight', [1]], ['classifier.weight', [1]]] as [string, number[]][]);
const resnet = ['conv1.weight', 'layer1.0.bn1.running_mean'];
const prefixed = (prefix: string, names = resnet) => names.map((name) => prefix + name);

interface Case {
  readonly why: string;
  readonly expected: Map<string, number[]>;
  readonly found: NamedArrays;
  readonly missing?: string[];
  readonly unexpected?: string[];
  readonly ignored?: string[];
}
const cases: Case[] = [
  { why: 'torchvision’s names', expected: backbone, found: arrays(...resnet) },
  {
    why: 'torchvision’s names with its classifier and counters',
    expected: backbone,
    found: arrays(...resnet, 'layer1.0.bn1.num_batches_tracked', 'fc.weight', 'fc.bias'),
    ignored: ['layer1.0.bn1.num_batches_tracked', 'fc.weight', 'fc.bias'],
  },
  { why: 'the model’s own names', expected: model, found: arrays(...model.keys()) },
  {
    why: 'the backbone of a whole model',
    expected: backbone,
    found: arrays(...model.keys()),
    ignored: ['aspp.pool.conv.weight', 'classifier.weight'],
  },
  {
    why: 'the backbone of torchvision’s segmentation models',
    expected: backbone,
    found: arrays(...prefixed('backbone.'), 'classifier.0.convs.0.0.weight', 'aux_classifier.0.weight'),
    ignored: ['classifier.0.convs.0.0.weight', 'aux_classifier.0.weight'],
  },
  { why: 'names from DataParallel', expected: backbone, found: arrays(...prefixed('module.')) },
  { why: 'names from torch.compile inside DataParallel', expected: backbone, found: arrays(...prefixed('module._orig_mod.')) },
  { why: 'the model’s own names from torch.compile', expected: model, found: arrays(...prefixed('_orig_mod.', [...model.keys()])) },
  {
    why: 'EfficientNet-Lite0’s names',
    expected: new Map([['backbone._bn0.bias', [1]]]),
    found: arrays('_bn0.bias', '_bn0.num_batches_tracked', '_fc.weight', '_fc.bias'),
    ignored: ['_bn0.num_batches_tracked', '_fc.weight', '_fc.bias'],
  },
  { why: 'a name that is missing', expected: backbone, found: arrays('conv1.weight'), missing: ['backbone.layer1.0.bn1.running_mean'] },
  { why: 'a name that is not expected', expected: backbone, found: arrays(...resnet, 'layer5.x'), unexpected: ['layer5.x'] },
  { why: 'a file for another net', expected: backbone, found: arrays('a', 'b'), missing: [...backbone.keys()], unexpected: ['a', 'b'] },
  { why: 'a file without tensors', expected: backbone, found: arrays(), missing: [...backbone.keys()] },
];
for (const { why, expected, found, missing = [], unexpected = [], ignored = [] } of cases) {
  test(`matches ${why}`, () => {
    const match = matchWeights(expected, found);
    assert.equal([...match.loaded.keys(), ...match.missing].sort(), [...expected.keys()].sort());
    assert.equal(match.missing, missing);
    assert.equal([...match.unexpected, ...match.ignored].sort(), [...unexpected, ...ignored].sort());
    if (match.missing.length < expected.size) assert.equal(match.ignored, ignored);
  });
}

test('each tensor goes to its own name', () => {
  const { loaded } = matchWeights(backbone, arrays('layer1.0.bn1.running_mean', 'conv1.weight'));
  assert.equal(
    [...loaded].map(([name, { data }]) => [name, data[0]]),
    [
      ['backbone.conv1.weight', 2],
      ['backbone.layer1.0.bn1.running_mean', 1],
    ],
  );
});

test('a tensor of another shape is not loaded, even where the sizes agree', () => {
  const { loaded, wrongShape } = matchWeights(new Map([['backbone.w', [2, 3]]]), arrays(['w', [3, 2]]));
  assert.is(loaded.size, 0);
  assert.equal(wrongShape, [{ name: 'backbone.w', expected: [2, 3], found: [3, 2] }]);
});

function refusal(folder: string, expected: Map<string, number[]>, found: NamedArrays): BadInputError {
  const file = join(folder, 'net.safetensors');
  writeSafetensors(file, found);
  try {
    loadWeights(file, expected, 'spec.model.weights');
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    assert.equal([error.file, error.field], [file, 'spec.model.weights']);
    return error;
  }
  return assert.unreachable('nothing was refused') as never;
}

test('missing names are listed, the first five and how many more', ({ folder }) => {
  const expected = new Map(Array.from({ length: 8 }, (_, index) => [`backbone.w${index}`, [1]]));
  const { message } = refusal(folder, expected, arrays('w0'));
  assert.match(message, '7 missing: backbone.w1, backbone.w2, backbone.w3, backbone.w4, backbone.w5 and 2 more');
});

test('wrong shapes are listed with both shapes', ({ folder }) => {
  const { message } = refusal(folder, new Map([['backbone.w', [2, 3]]]), arrays(['w', [3, 2]]));
  assert.match(message, 'backbone.w [3, 2] instead of [2, 3]');
});

test('values that are not finite are refused', ({ folder }) => {
  const { message } = refusal(folder, new Map([['w', [1]]]), new Map([['w', { shape: [1], data: Float32Array.of(NaN) }]]));
  assert.match(message, 'tensor "w" holds values that are not finite');
});

test('tensors that are left over give one warning; heads and counters none', ({ folder }) => {
  const file = join(folder, 'net.safetensors');
  writeSafetensors(file, arrays(...resnet, 'layer5.x', 'fc.weight', 'bn1.num_batches_tracked'));
  const { arrays: loaded, warnings } = loadWeights(file, backbone);
  assert.equal([...loaded.keys()], [...backbone.keys()]);
  assert.equal(warnings, [`tensors of ${file} that are not used (1): layer5.x`]);
});

test.run();
