import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { ParameterStore } from '../../../trainer-image/model/parameters.ts';
import { arraysOnDemand } from '../../../trainer-image/model/weights/elements.ts';
import { tf, type Tensor } from '../../../trainer-image/tf.ts';
import { removeCheckpoints, restoreCheckpoint, writeCheckpoint } from '../../../trainer-image/training/checkpoint.ts';
import { Sgd } from '../../../trainer-image/training/sgd.ts';
import type { BadInputError } from '../../../trainer-image/errors.ts';
import { testOnDisk } from '../../fixtures/disk.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { noise4 } from '../tensors.ts';

interface State {
  readonly store: ParameterStore;
  readonly optimizer: Sgd;
  /** Takes a step of training in the same direction. */
  move(): void;
}

function makeState(seed: number): State {
  const store = new ParameterStore(createRandom(seed));
  store.conv('conv.weight', { size: 3, inputs: 2, outputs: 3 });
  store.batchNorm('bn', 3);
  const trainable = store.trainable();
  const optimizer = new Sgd(trainable, { momentum: 0.9, weightDecay: 0 });
  const move = () => {
    const gradients = new Map<string, Tensor>([
      ['conv.weight', noise4([3, 3, 2, 3], 'gradient')],
      ['bn.weight', tf.ones([3])],
    ]);
    optimizer.step(gradients, 0.1);
  };
  return { store, optimizer, move };
}

const same = (a: State, b: State) => {
  assert.equal(a.store.export(), b.store.export());
  assert.equal(a.optimizer.exportOnDemand(), b.optimizer.exportOnDemand());
};

const NAME = (step: number) => `step-${String(step).padStart(9, '0')}.safetensors`;

test('weights, statistics, velocities and step come back exactly', () =>
  withFolder((folder) => {
    const [saved, restored] = [makeState(1), makeState(2)];
    saved.move();
    writeCheckpoint(folder, 7, saved.store, saved.optimizer);
    assert.is(restoreCheckpoint(folder, restored.store, restored.optimizer), 7);
    same(restored, saved);
    saved.move();
    restored.move();
    same(restored, saved);
  }));

test('without a checkpoint the training begins at step 0 with what it has', () =>
  withFolder((folder) => {
    const [state, untouched] = [makeState(1), makeState(1)];
    assert.is(restoreCheckpoint(join(folder, 'missing'), state.store, state.optimizer), 0);
    same(state, untouched);
  }));

test('the newest one counts, by number', () =>
  withFolder((folder) => {
    const state = makeState(1);
    for (const step of [2, 10, 9]) {
      state.move();
      writeCheckpoint(folder, step, state.store, state.optimizer);
    }
    assert.is(restoreCheckpoint(folder, state.store, state.optimizer), 10);
  }));

test('older ones stay until they are removed', () =>
  withFolder((folder) => {
    const { store, optimizer } = makeState(1);
    for (const step of [1, 2, 3]) writeCheckpoint(folder, step, store, optimizer);
    assert.equal(readdirSync(folder), [1, 2, 3].map(NAME));
    removeCheckpoints(folder, (step) => step < 3);
    assert.equal(readdirSync(folder), [NAME(3)]);
  }));

test('what a killed process left of a file being written is passed over and removed', () =>
  withFolder((folder) => {
    const [saved, restored] = [makeState(1), makeState(2)];
    writeCheckpoint(folder, 3, saved.store, saved.optimizer);
    const whole = readFileSync(join(folder, NAME(3)));
    writeFileSync(join(folder, `${NAME(9)}.123-abc.tmp`), whole.subarray(0, 50));
    assert.is(restoreCheckpoint(folder, restored.store, restored.optimizer), 3);
    same(restored, saved);
    assert.equal(readdirSync(folder), [NAME(3)]);
  }));

test('one that cannot be read is passed over with a warning, and kept; the one before counts', () =>
  withFolder((folder) => {
    const [saved, restored] = [makeState(1), makeState(2)];
    writeCheckpoint(folder, 3, saved.store, saved.optimizer);
    writeFileSync(join(folder, NAME(9)), readFileSync(join(folder, NAME(3))).subarray(0, 200));
    const warnings: string[] = [];
    assert.is(
      restoreCheckpoint(folder, restored.store, restored.optimizer, (message) => warnings.push(message)),
      3,
    );
    same(restored, saved);
    assert.is(warnings.length, 1);
    assert.match(warnings[0], /step-000000009\.safetensors.*passed over/);
    assert.equal(readdirSync(folder), [3, 9].map(NAME), 'perhaps a person can mend it');
  }));

test('weights that are not finite are never kept', () =>
  withFolder((folder) => {
    const { store, optimizer } = makeState(1);
    store.load(new Map([['bn.bias', { shape: [3], data: Float32Array.of(0, NaN, 0) }]]));
    assert.is(writeCheckpoint(folder, 1, store, optimizer), 'bn.bias');
    assert.equal(readdirSync(folder), []);
  }));

testOnDisk('on a full disk the checkpoint is named, with what to do and where the next run goes on', (disk) => {
  const folder = join(disk.path, 'checkpoint');
  const { store, optimizer } = makeState(1);
  const refusal = (step: number) => {
    try {
      writeCheckpoint(folder, step, store, optimizer);
    } catch (error) {
      return error as BadInputError;
    }
    throw new Error('it was written');
  };
  writeCheckpoint(folder, 4, store, optimizer);
  disk.fill();
  const { file, field, message } = refusal(8);
  assert.equal([file, field], [join(folder, NAME(8)), 'spec.storage.path']);
  assert.match(
    message,
    /^the checkpoint of step 8 cannot be written: the disk is full; free some space .*\. In this folder the next run goes on from step 4$/,
  );
  removeCheckpoints(folder, () => true);
  disk.fill();
  assert.match(refusal(8).message, /\. The next run begins this stage again$/);
  assert.equal(readdirSync(folder), []);
  return Promise.resolve();
});

test('each weight is read and translated once', () =>
  withFolder((folder) => {
    const { store, optimizer } = makeState(1);
    const reads: string[] = [];
    const exported = store.exportOnDemand();
    const counting = [...exported].map(([name, array]) => [name, array.shape, () => (reads.push(name), array.data)] as const);
    store.exportOnDemand = () => arraysOnDemand(counting);
    writeCheckpoint(folder, 1, store, optimizer);
    assert.equal(reads.sort(), [...exported.keys()].sort());
  }));

test.run();
