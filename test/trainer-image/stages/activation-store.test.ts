import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openActivationStore } from '../../../trainer-image/stages/activation-store.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';

const maps = {
  width: 3,
  height: 2,
  planes: [Float32Array.from([0, 0.1, -0, 1e-40, 3, 7]), Float32Array.from([6, 5, 4, 3, 2, 1])],
  classIndices: [2, 5],
};

test('activation maps come back bit for bit, also those of an image without foreground', () =>
  withFolder((folder) => {
    openActivationStore(folder).write('a', maps);
    openActivationStore(folder).write('none', { ...maps, planes: [], classIndices: [] });
    const store = openActivationStore(folder);
    assert.equal(store.read('a', [2, 5]), maps);
    assert.ok(Object.is(store.read('a', [2, 5])?.planes[0][2], -0));
    assert.equal(store.read('none', []), { ...maps, planes: [], classIndices: [] });
    assert.equal(readdirSync(folder).sort(), ['a.safetensors', 'none.safetensors'], 'nothing temporary is left');
    return Promise.resolve();
  }));

test('maps that are missing or of other classes are not there', () =>
  withFolder((folder) => {
    const store = openActivationStore(folder);
    store.write('a', maps);
    assert.equal([store.read('b', [2, 5]), store.read('a', [2])], [undefined, undefined]);
    return Promise.resolve();
  }));

test('a file with any part lost or changed is not taken for whole', () =>
  withFolder((folder) => {
    const store = openActivationStore(folder);
    store.write('a', maps);
    const file = join(folder, 'a.safetensors');
    const bytes = readFileSync(file);
    for (let length = 0; length < bytes.length; length += 7) {
      writeFileSync(file, bytes.subarray(0, length));
      assert.is(store.read('a', [2, 5]), undefined, `cut off after ${length} bytes`);
    }
    for (let byte = bytes.length - 48; byte < bytes.length; byte++) {
      writeFileSync(file, Buffer.concat([bytes.subarray(0, byte), Buffer.from([bytes[byte] ^ 1]), bytes.subarray(byte + 1)]));
      assert.is(store.read('a', [2, 5]), undefined, `byte ${byte} changed`);
    }
    return Promise.resolve();
  }));

test('beyond its room it keeps no more', () =>
  withFolder((folder) => {
    const store = openActivationStore(folder, 60);
    for (const id of ['a', 'b', 'c']) store.write(id, maps);
    assert.equal(readdirSync(folder), ['a.safetensors', 'b.safetensors']);
    return Promise.resolve();
  }));

test.run();
