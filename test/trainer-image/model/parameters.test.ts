import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom, type Random } from '../../../trainer-image/data/random.ts';
import { ParameterStore } from '../../../trainer-image/model/parameters.ts';
import { tf } from '../../../trainer-image/tf.ts';

function declareAll(random: Random | null = createRandom(0)): ParameterStore {
  const store = new ParameterStore(random ?? undefined);
  const backbone = store.scope('backbone');
  backbone.conv('conv1.weight', { size: 3, inputs: 2, outputs: 4 });
  backbone.conv('depthwise.weight', { size: 3, inputs: 4, outputs: 4, depthwise: true });
  backbone.batchNorm('bn1', 4);
  store.linear('classifier.weight', 4, 3);
  store.batchNorm('project.bn', 3);
  store.scope('lorm').xavierConv('query.weight', 4, 4);
  store.vector('lorm.delta', 1, 1);
  return store;
}

test('names and shapes are PyTorch’s', () => {
  assert.equal(Object.fromEntries(declareAll().expected()), {
    'backbone.conv1.weight': [4, 2, 3, 3],
    'backbone.depthwise.weight': [4, 1, 3, 3],
    'backbone.bn1.weight': [4],
    'backbone.bn1.bias': [4],
    'backbone.bn1.running_mean': [4],
    'backbone.bn1.running_var': [4],
    'classifier.weight': [3, 4],
    'project.bn.weight': [3],
    'project.bn.bias': [3],
    'project.bn.running_mean': [3],
    'project.bn.running_var': [3],
    'lorm.query.weight': [4, 4, 1, 1],
    'lorm.delta': [1],
  });
});

test('without random numbers the same parameters are there, the drawn ones 0, and loading sets them all', () => {
  const drawn = declareAll();
  const empty = declareAll(null);
  assert.equal(empty.expected(), drawn.expected());
  for (const name of ['backbone.conv1.weight', 'classifier.weight', 'lorm.query.weight']) {
    assert.ok(
      empty
        .export()
        .get(name)
        ?.data.every((value) => value === 0),
      name,
    );
  }
  empty.load(drawn.export());
  assert.equal(empty.export(), drawn.export());
});

test('what is loaded is exported again, value for value', () => {
  const store = declareAll();
  let next = 0;
  const arrays = new Map(
    [...store.expected()].map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next++) },
    ]),
  );
  store.load(arrays);
  assert.equal(store.export(), arrays);
});

test('a convolution’s kernel is turned from [out, in, k, k] to [k, k, in, out]', () => {
  const store = new ParameterStore(createRandom(0));
  const kernel = store.conv('conv.weight', { size: 2, inputs: 3, outputs: 5 });
  const data = Float32Array.from({ length: 60 }, (_, i) => i);
  store.load(new Map([['conv.weight', { shape: [5, 3, 2, 2], data }]]));
  assert.equal(kernel.shape, [2, 2, 3, 5]);
  const at = (o: number, i: number, y: number, x: number) => data[((o * 3 + i) * 2 + y) * 2 + x];
  const values = kernel.dataSync();
  for (let n = 0; n < 60; n++) assert.is(values[n], at(n % 5, Math.floor(n / 5) % 3, Math.floor(n / 30), Math.floor(n / 15) % 2));
});

test('names that the network has not are passed over', () => {
  const store = declareAll();
  const before = store.export();
  store.load(new Map([['fc.weight', { shape: [1], data: Float32Array.of(1) }]]));
  assert.equal(store.export(), before);
});

test('the same random stream gives the same network, another one another', () => {
  const values = (seed: number) => declareAll(createRandom(seed)).export();
  assert.equal(values(3), values(3));
  assert.not.equal(values(3).get('classifier.weight'), values(4).get('classifier.weight'));
});

test('Kaiming normal: kernels have mean 0 and variance 2 / fan-out', () => {
  const kernel = new ParameterStore(createRandom(5)).conv('w', { size: 3, inputs: 32, outputs: 64 });
  const { mean, variance } = tf.moments(kernel);
  assert.ok(Math.abs(mean.dataSync()[0]) < 0.003);
  assert.ok(Math.abs((variance.dataSync()[0] * 9 * 64) / 2 - 1) < 0.05);
});

test('running statistics are no trainable parameters; frozen batch norms of the backbone have none at all', () => {
  const store = declareAll();
  assert.equal(
    [...store.trainable().keys()].filter((name) => name.includes('bn')),
    ['backbone.bn1.weight', 'backbone.bn1.bias', 'project.bn.weight', 'project.bn.bias'],
  );
  assert.equal(
    [...store.trainable({ frozenBatchNorm: true }).keys()],
    [
      'backbone.conv1.weight',
      'backbone.depthwise.weight',
      'classifier.weight',
      'project.bn.weight',
      'project.bn.bias',
      'lorm.query.weight',
      'lorm.delta',
    ],
  );
});

test('a name is declared once', () => {
  const store = declareAll();
  assert.throws(() => store.vector('lorm.delta', 1, 1), /declared twice/);
});

test('disposing gives back every tensor', () => {
  const before = tf.memory().numTensors;
  const store = declareAll();
  store.load(store.export());
  store.dispose();
  assert.is(tf.memory().numTensors, before);
});

test.run();
