import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tf, type Tensor, type Variable } from '../../../trainer-image/tf.ts';
import { Sgd } from '../../../trainer-image/training/sgd.ts';
import { assertNear, noise } from '../tensors.ts';

const SETTINGS = { momentum: 0.9, weightDecay: 0.01 };
const SHAPES: Record<string, number[]> = { kernel: [3, 3, 2, 2], scale: [5], offset: [4], matrix: [2, 3], delta: [1] };
const RATES = [0, 0.1, 0.05, 0.2];

const sizeOf = (shape: readonly number[]) => shape.reduce((product, side) => product * side, 1);
const makeParameters = () =>
  new Map<string, Variable>(
    Object.entries(SHAPES).map(([name, shape]) => [name, tf.variable(tf.tensor(noise(sizeOf(shape), name), shape))]),
  );
const makeGradients = (step: number, names = Object.keys(SHAPES)) =>
  new Map<string, Tensor>(names.map((name) => [name, tf.tensor(noise(sizeOf(SHAPES[name]), name, step), SHAPES[name])]));
const valuesOf = (parameters: ReadonlyMap<string, Variable>) =>
  new Map([...parameters].map(([name, variable]) => [name, [...variable.dataSync()]]));

/** PyTorch's update, written out. */
function naive(steps: readonly ReadonlyMap<string, Tensor>[]): Map<string, number[]> {
  const weights = valuesOf(makeParameters());
  const velocity = new Map([...weights].map(([name, values]) => [name, values.map(() => 0)]));
  steps.forEach((gradients, step) => {
    for (const [name, gradient] of gradients) {
      const [w, v, g] = [weights.get(name)!, velocity.get(name)!, gradient.dataSync()];
      for (let i = 0; i < w.length; i++) {
        v[i] = SETTINGS.momentum * v[i] + g[i] + SETTINGS.weightDecay * w[i];
        w[i] -= RATES[step] * v[i];
      }
    }
  });
  return weights;
}

test('several steps at several rates give what the written-out update gives', () => {
  const parameters = makeParameters();
  const optimizer = new Sgd(parameters, SETTINGS);
  const steps = RATES.map((_, step) => makeGradients(step));
  steps.forEach((gradients, step) => optimizer.step(gradients, RATES[step]));
  for (const [name, expected] of naive(steps)) assertNear(parameters.get(name)!.dataSync(), expected, name, 1e-6);
});

test('parameters with a factor of their own take steps larger by that factor', () => {
  const factors: Record<string, number> = { kernel: 10, offset: 10 };
  const rateFactor = (name: string) => factors[name] ?? 1;
  const [parameters, slow, fast] = [makeParameters(), makeParameters(), makeParameters()];
  const optimizers = [new Sgd(parameters, { ...SETTINGS, rateFactor }), new Sgd(slow, SETTINGS), new Sgd(fast, SETTINGS)];
  RATES.forEach((rate, step) => {
    [rate, rate, 10 * rate].forEach((own, i) => optimizers[i].step(makeGradients(step), own));
  });
  for (const [name, values] of valuesOf(parameters)) {
    assertNear(values, valuesOf(name in factors ? fast : slow).get(name)!, name, 1e-6);
  }
});

test('a parameter without a gradient stays as it is, weight decay included', () => {
  const parameters = makeParameters();
  const optimizer = new Sgd(parameters, SETTINGS);
  const steps = [makeGradients(0), makeGradients(1, ['kernel', 'offset'])];
  steps.forEach((gradients, step) => optimizer.step(gradients, RATES[step]));
  for (const [name, expected] of naive(steps)) assertNear(parameters.get(name)!.dataSync(), expected, name, 1e-6);
});

test('no gradient at all changes nothing', () => {
  const parameters = makeParameters();
  const before = valuesOf(parameters);
  new Sgd(parameters, SETTINGS).step(new Map(), 0.1);
  assert.equal(valuesOf(parameters), before);
});

test('an optimiser that takes over another one’s velocities goes on exactly as that one would', () => {
  const [whole, resumed] = [makeParameters(), makeParameters()];
  const first = new Sgd(whole, SETTINGS);
  const before = new Sgd(resumed, SETTINGS);
  for (const optimizer of [first, before]) [0, 1].forEach((step) => optimizer.step(makeGradients(step), 0.1));
  const after = new Sgd(resumed, SETTINGS);
  after.load(before.exportOnDemand());
  for (const optimizer of [first, after]) [2, 3].forEach((step) => optimizer.step(makeGradients(step), 0.1));
  assert.equal(valuesOf(resumed), valuesOf(whole));
});

test('steps leave no tensor behind, and disposing gives the velocities back', () => {
  const parameters = makeParameters();
  const gradients = makeGradients(0);
  const before = tf.memory().numTensors;
  const optimizer = new Sgd(parameters, SETTINGS);
  optimizer.step(gradients, 0.1);
  const running = tf.memory().numTensors;
  for (let i = 0; i < 5; i++) optimizer.step(gradients, 0.1);
  optimizer.load(optimizer.exportOnDemand());
  assert.is(tf.memory().numTensors, running);
  optimizer.dispose();
  assert.is(tf.memory().numTensors, before);
});

test.run();
