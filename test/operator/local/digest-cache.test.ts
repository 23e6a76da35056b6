import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDigestCache } from '../../../operator/local/digest-cache.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { withFolder } from './temporary-folder.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Replaces the digests in a cache file, so that using them shows. */
function forge(cacheFile: string): void {
  writeFileSync(cacheFile, readFileSync(cacheFile, 'utf8').replace(/[0-9a-f]{64}/g, 'forged'));
}

test('a file that did not change is not read again', () =>
  withFolder(async (folder) => {
    const [file, cacheFile] = [join(folder, 'a'), join(folder, 'digests.json')];
    writeFileSync(file, 'one');
    const first = openDigestCache(cacheFile);
    assert.is(await first.digest(file), sha256('one'));
    first.save();
    forge(cacheFile);
    assert.is(await openDigestCache(cacheFile).digest(file), 'forged');
  }));

test('new content of the same size and time is seen', () =>
  withFolder(async (folder) => {
    const [file, cacheFile] = [join(folder, 'a'), join(folder, 'digests.json')];
    writeFileSync(file, 'one');
    const cache = openDigestCache(cacheFile);
    await cache.digest(file);
    cache.save();
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'two');
    utimesSync(file, atime, mtime);
    assert.is(await openDigestCache(cacheFile).digest(file), sha256('two'));
  }));

test('a damaged cache counts as empty', () =>
  withFolder(async (folder) => {
    const [file, cacheFile] = [join(folder, 'a'), join(folder, 'digests.json')];
    writeFileSync(file, 'one');
    for (const damage of ['', '{"a":', '[]', '{"x":1}']) {
      writeFileSync(cacheFile, damage);
      assert.is(await openDigestCache(cacheFile).digest(file), sha256('one'));
    }
  }));

test('files that are no longer asked for are forgotten', () =>
  withFolder(async (folder) => {
    const cacheFile = join(folder, 'digests.json');
    for (const name of ['a', 'b']) writeFileSync(join(folder, name), name);
    const both = openDigestCache(cacheFile);
    await Promise.all([both.digest(join(folder, 'a')), both.digest(join(folder, 'b'))]);
    both.save();
    const one = openDigestCache(cacheFile);
    await one.digest(join(folder, 'b'));
    one.save();
    assert.equal(Object.keys(JSON.parse(readFileSync(cacheFile, 'utf8')) as object), [join(folder, 'b')]);
  }));

test('a file that is not there is named', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'none');
    const error: unknown = await openDigestCache(join(folder, 'digests.json'))
      .digest(file)
      .catch((thrown: unknown) => thrown);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, file);
  }));

test('a cache that cannot be kept is no failure', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'a');
    writeFileSync(file, 'one');
    const cache = openDigestCache(join(file, 'digests.json'));
    assert.is(await cache.digest(file), sha256('one'));
    cache.save();
    assert.equal(readdirSync(folder), ['a']);
  }));

test('permissions are no content, but the file is read again to be sure', () =>
  withFolder(async (folder) => {
    const [file, cacheFile] = [join(folder, 'a'), join(folder, 'digests.json')];
    writeFileSync(file, 'one');
    const cache = openDigestCache(cacheFile);
    await cache.digest(file);
    cache.save();
    chmodSync(file, 0o600);
    assert.is(await openDigestCache(cacheFile).digest(file), sha256('one'));
  }));

test.run();
