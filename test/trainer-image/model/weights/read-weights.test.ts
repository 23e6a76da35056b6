import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import { findImagenetWeights } from '../../../../trainer-image/model/weights/imagenet-weights.ts';
import { readWeights } from '../../../../trainer-image/model/weights/read-weights.ts';
import { encodeSafetensors } from '../../../../trainer-image/model/weights/safetensors.ts';
import { bytesOf, stateDict, storage, tensor, torchLegacy, torchZip } from './torch-writer.ts';

const test = suite<{ folder: string }>('read-weights', { folder: '' });
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'cdsp-weights-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const values = Float32Array.of(1, 2);
const object = stateDict([['w', tensor(storage('0', 2), [2])]]);
const safetensors = Buffer.concat(encodeSafetensors(new Map([['w', { shape: [2], data: values }]])));

const readable: [why: string, name: string, bytes: Buffer][] = [
  ['a .safetensors file', 'a.safetensors', safetensors],
  ['a .safetensors file under another name', 'a.pth', safetensors],
  ['a .pth file in zip format', 'a.pth', torchZip(object, { 0: values })],
  ['a .pth file in legacy format', 'a.pt', torchLegacy(object, { 0: values })],
  ['a .pth file under another name', 'a.safetensors', torchZip(object, { 0: values })],
];
for (const [why, name, bytes] of readable) {
  test(`reads ${why}`, ({ folder }) => {
    writeFileSync(join(folder, name), bytes);
    assert.equal([...readWeights(join(folder, name))], [['w', { shape: [2], data: values }]]);
  });
}

const tar = Buffer.alloc(1024);
tar.write('ustar', 257);
const refused: [why: string, name: string, bytes: Buffer, message: RegExp][] = [
  ['an empty file', 'a.pth', Buffer.alloc(0), /is empty/],
  ['a web page', 'a.pth', bytesOf('<!DOCTYPE html>'), /web page/],
  ['a Git LFS pointer', 'a.safetensors', bytesOf('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
  ['a Keras file', 'a.pth', bytesOf(0x89, 'HDF\r\n', Buffer.alloc(20)), /HDF5/],
  ['a gzipped file', 'a.pth', bytesOf(0x1f, 0x8b, 8, 0), /gunzip/],
  ['a tar archive', 'a.pth', tar, /tar archive/],
  ['anything else', 'a.pth', bytesOf('hello'), /neither/],
  ['a damaged .safetensors file', 'a.safetensors', safetensors.subarray(0, 40), /ends inside its header/],
];
for (const [why, name, bytes, message] of refused) {
  test(`refuses ${why}`, ({ folder }) => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    assert.throws(
      () => readWeights(file),
      (error: unknown) => error instanceof BadInputError && error.file === file && message.test(error.message),
    );
  });
}

const golden = join(process.env.GOLDEN_DIR ?? '../shared/golden', 'network');
const when = (present: boolean, name: string, run: () => void) => (present ? test(name, run) : test.skip(name, run));
when(existsSync(golden), 'reads the golden networks', () => {
  const files = readdirSync(golden).filter((name) => name.endsWith('.safetensors'));
  assert.ok(files.length > 0);
  for (const name of files) {
    const arrays = readWeights(join(golden, name));
    assert.equal(arrays.get('backbone.conv1.weight')!.shape, [4, 3, 7, 7]);
    assert.ok([...arrays.values()].every(({ data }) => data.every(Number.isFinite)));
  }
});

const imagenet = findImagenetWeights();
when(imagenet !== undefined, 'reads the ImageNet weights that set-up fetched', () => {
  const arrays = readWeights(imagenet!);
  assert.equal(arrays.get('_conv_stem.weight')!.shape, [32, 3, 3, 3]);
  assert.equal(arrays.get('_blocks.15._project_conv.weight')!.shape, [320, 1152, 1, 1]);
  assert.equal(arrays.get('_conv_head.weight')!.shape, [1280, 320, 1, 1]);
  const parameters = [...arrays].filter(([name]) => /(weight|bias)$/.test(name)).reduce((sum, [, { data }]) => sum + data.length, 0);
  assert.is(parameters, 4_652_008);
  assert.ok([...arrays].filter(([name]) => name.endsWith('running_var')).every(([, { data }]) => data.every((value) => value >= 0)));
});

test.run();
