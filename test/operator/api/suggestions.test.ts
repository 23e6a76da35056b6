import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nearestName } from '../../../operator/api/suggestions.ts';

const known = ['epochs', 'batchSize', 'cropSize', 'learningRate', 'warmupEpochs', 'enabled', 'path'];
const cases: [why: string, name: string, nearest: string | undefined][] = [
  ['a missing letter', 'epoch', 'epochs'],
  ['another case and a separator', 'batch_size', 'batchSize'],
  ['two letters swapped', 'cropSzie', 'cropSize'],
  ['the beginning of a name', 'enable', 'enabled'],
  ['a name with something added', 'learningRates', 'learningRate'],
  ['several errors in a long name', 'warmpEpoch', 'warmupEpochs'],
  ['nothing alike', 'optimizer', undefined],
  ['a short name that shares a letter', 'p', undefined],
  ['no letters at all', '-', undefined],
];
for (const [why, name, nearest] of cases) test(`nearest name: ${why}`, () => assert.is(nearestName(name, known), nearest));

test('the nearest of several near names is chosen', () =>
  assert.is(nearestName('resnet51', ['resnet101', 'resnet50', 'resnet152']), 'resnet50'));
test('a name that is known is its own nearest', () => assert.is(nearestName('path', known), 'path'));

test.run();
