import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TimeAtWork } from '../../trainer-image/time-at-work.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';

test('the working time of all attempts and processes is added up, each once', () =>
  withFolder((folder) => {
    mkdirSync(join(folder, 'checkpoint'));
    const first = new TimeAtWork(folder, 'first', 0);
    first.note(1000);
    first.note(2500);
    const second = new TimeAtWork(folder, 'second', 100_000);
    assert.is(second.total(101_000), 3.5);
    second.note(101_000);
    assert.is(second.total(102_000), 4.5, 'its own note is not counted beside its clock');
    writeFileSync(join(folder, 'checkpoint', 'seconds', 'third.json'), 'torn');
    assert.is(second.total(102_000), 4.5);
  }));

test('it is noted now and then, so that a process that is killed loses little', () =>
  withFolder((folder) => {
    mkdirSync(join(folder, 'checkpoint'));
    const time = new TimeAtWork(folder, 'one', 0);
    time.noteNowAndThen(9_999);
    assert.equal(readdirSync(join(folder, 'checkpoint', 'seconds')), []);
    time.noteNowAndThen(10_000);
    assert.is(new TimeAtWork(folder, 'two', 0).total(0), 10);
    time.noteNowAndThen(12_000);
    assert.is(new TimeAtWork(folder, 'two', 0).total(0), 10);
  }));

test('once another process has completed the stage, nothing is written any more', () =>
  withFolder((folder) => {
    mkdirSync(join(folder, 'checkpoint'));
    const time = new TimeAtWork(folder, 'one', 0);
    rmSync(join(folder, 'checkpoint'), { recursive: true });
    time.note(1000);
    assert.equal(readdirSync(folder), []);
    assert.is(time.total(1000), 1);
  }));

test.run();
