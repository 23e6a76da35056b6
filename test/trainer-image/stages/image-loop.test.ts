import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ImageLoop, type ImageLoopSettings } from '../../../trainer-image/stages/image-loop.ts';
import type { StageContext } from '../../../trainer-image/stages/stage-context.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';

const JOURNAL = 'checkpoint/images';
const IMAGES = 9;
const samples = Array.from({ length: IMAGES }, (_, index) => ({ id: `image-${index}`, image: '' }));
const fresh = () => [new Float64Array(4), new Float64Array(2)];

/** What an image counts; large numbers, and lists with nothing in them. */
function countsOf({ id }: { readonly id: string }): Float64Array[] {
  const index = Number(id.split('-')[1]);
  const counts = fresh();
  counts[0][index % 4] = 2 ** 40 + index;
  if (index % 3 === 0) counts[1][1] = 1;
  return counts;
}
const expected = samples.reduce((sums, sample) => {
  countsOf(sample).forEach((list, at) => list.forEach((count, index) => (sums[at][index] += count)));
  return sums;
}, fresh());

let processes = 0;
/** A process of the stage in `output`, with totals of its own. */
function enter(output: string, number = 0, of = 1, changes: Partial<ImageLoopSettings> = {}) {
  mkdirSync(join(output, 'checkpoint'), { recursive: true });
  const totals = fresh().map((list) => list.fill(7));
  const context = { output, process: `p${processes++}`, shard: { number, of } } as StageContext;
  return { loop: new ImageLoop({ journal: JOURNAL, samples, totals, ...changes }, context), totals, name: context.process };
}

/** Works on up to `images` images. */
function work({ loop }: ReturnType<typeof enter>, images = Infinity): string[] {
  const done: string[] = [];
  while (done.length < images) {
    const sample = loop.next();
    if (sample === undefined) break;
    loop.keep(sample, countsOf(sample));
    done.push(sample.id);
  }
  return done;
}

test('one process alone does every image in order and counts it once', () =>
  withFolder((folder) => {
    const process = enter(folder);
    assert.equal(
      work(process),
      samples.map(({ id }) => id),
    );
    assert.equal([process.loop.isComplete, process.loop.done, process.totals], [true, IMAGES, expected]);
  }));

test('a process begins with its own share, and goes on with what is left when the others never come', () =>
  withFolder((folder) => {
    const process = enter(folder, 1, 3);
    const done = work(process);
    assert.equal(done.slice(0, 3), ['image-1', 'image-4', 'image-7']);
    assert.is(new Set(done).size, IMAGES);
    assert.equal(process.totals, expected);
  }));

test('processes in step do every image once', () =>
  withFolder((folder) => {
    const all = [0, 1, 2].map((number) => enter(folder, number, 3));
    const done: string[] = [];
    for (let round = 0; round < IMAGES; round++) for (const process of all) done.push(...work(process, 1));
    assert.equal(
      done.sort(),
      samples.map(({ id }) => id),
    );
    for (const { loop, totals } of all) {
      assert.is(loop.next(), undefined);
      assert.equal([loop.isComplete, totals], [true, expected]);
    }
  }));

test('an image that two have worked on is counted once, and both come to the end', () =>
  withFolder((folder) => {
    const [a, b] = [enter(folder, 0, 2), enter(folder, 1, 2)];
    const [under, way] = [[] as NonNullable<ReturnType<typeof a.loop.next>>[], [] as NonNullable<ReturnType<typeof a.loop.next>>[]];
    // Each takes all images before either has finished one.
    for (let sample = a.loop.next(); sample !== undefined; sample = a.loop.next()) under.push(sample);
    for (let sample = b.loop.next(); sample !== undefined; sample = b.loop.next()) way.push(sample);
    assert.equal([under.length, way.length], [IMAGES, IMAGES]);
    for (const sample of under) a.loop.keep(sample, countsOf(sample));
    for (const sample of way) b.loop.keep(sample, countsOf(sample));
    for (const { loop, totals } of [a, b]) {
      assert.is(loop.next(), undefined);
      assert.equal([loop.done, totals], [IMAGES, expected]);
    }
  }));

/** A step of a history: a process takes an image, finishes the oldest that it has taken, or is killed, its last line torn at that share. */
const step = fc.record({
  number: fc.nat({ max: 2 }),
  what: fc.constantFrom('take', 'take', 'finish', 'finish', 'finish', 'die'),
  torn: fc.nat({ max: 100 }),
});

test('whatever processes do in whatever order, and wherever they are killed, those that come to the end have the same counts', () =>
  withFolder((folder) => {
    let run = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 60 }), (of, steps) => {
        const output = join(folder, String(run++));
        const running = Array.from({ length: of }, (_, number) => ({
          ...enter(output, number, of),
          taken: [] as (typeof samples)[number][],
        }));
        for (const { number, what, torn } of steps) {
          const process = running[number % of];
          if (what === 'take') {
            const sample = process.loop.next();
            if (sample !== undefined) process.taken.push(sample);
          } else if (what === 'finish') {
            const sample = process.taken.shift();
            if (sample !== undefined) process.loop.keep(sample, countsOf(sample));
          } else {
            const file = join(output, JOURNAL, `${process.name}.jsonl`);
            if (readdirSync(join(output, JOURNAL)).includes(`${process.name}.jsonl`)) {
              const { size } = statSync(file);
              truncateSync(file, Math.floor((size * torn) / 100));
            }
            running[number % of] = { ...enter(output, number % of, of), taken: [] };
          }
        }
        for (const process of running) {
          for (const sample of process.taken) process.loop.keep(sample, countsOf(sample));
          work(process);
          assert.equal([process.loop.isComplete, process.totals], [true, expected]);
        }
      }),
      { numRuns: 100 },
    );
  }));

test('killed at any byte of its journal, the next attempt comes to the same counts', () =>
  withFolder((folder) => {
    const first = enter(join(folder, 'first'));
    work(first);
    const text = readFileSync(join(folder, 'first', JOURNAL, `${first.name}.jsonl`));
    for (let length = 0; length <= text.length; length += 7) {
      const output = join(folder, String(length));
      mkdirSync(join(output, JOURNAL), { recursive: true });
      writeFileSync(join(output, JOURNAL, 'dead.jsonl'), text.subarray(0, length));
      const second = enter(output);
      const whole = text.subarray(0, length).toString().split('\n').length - 1;
      assert.is(second.loop.done, whole);
      work(second);
      assert.equal(second.totals, expected, `cut off after ${length} bytes`);
    }
  }));

const spoilt: [why: string, line: string][] = [
  ['is empty', ''],
  ['is zeros, as after a power failure', '\0'.repeat(60)],
  ['is no JSON', '{"id":'],
  ['is of an image that is not there', JSON.stringify({ id: 'other', counts: [[], []], seconds: 1 })],
  ['has lists missing', JSON.stringify({ id: 'image-0', counts: [[]], seconds: 1 })],
  ['counts beyond a list', JSON.stringify({ id: 'image-0', counts: [[4, 1], []], seconds: 1 })],
  ['has an index without a count', JSON.stringify({ id: 'image-0', counts: [[0], []], seconds: 1 })],
  ['counts what is no whole number', JSON.stringify({ id: 'image-0', counts: [[0, 1.5], []], seconds: 1 })],
  ['counts less than nothing', JSON.stringify({ id: 'image-0', counts: [[0, -1], []], seconds: 1 })],
];
for (const [why, line] of spoilt) {
  test(`a line that ${why} is passed over, those around it are not`, () =>
    withFolder((folder) => {
      const first = enter(folder);
      work(first, 2);
      const file = join(folder, JOURNAL, `${first.name}.jsonl`);
      const [one, two] = readFileSync(file, 'utf8').split('\n');
      writeFileSync(file, [one, line, two, ''].join('\n'));
      const second = enter(folder);
      assert.is(second.loop.done, 2);
      work(second);
      assert.equal(second.totals, expected);
    }));
}

test('a line is read when it is there to its end', () =>
  withFolder((folder) => {
    const reader = enter(folder, 0, 2);
    const line = `${JSON.stringify({
      id: 'image-0',
      counts: [
        [0, 2 ** 40],
        [1, 1],
      ],
      seconds: 1,
    })}\n`;
    const file = join(folder, JOURNAL, 'other.jsonl');
    writeFileSync(file, line.slice(0, 20));
    assert.is(reader.loop.next()?.id, 'image-0');
    appendFileSync(file, line.slice(20));
    reader.loop.next();
    assert.is(reader.loop.done, 1);
  }));

test('an image whose files are gone is done again, and only that one', () =>
  withFolder((folder) => {
    work(enter(folder));
    const second = enter(folder, 0, 1, { isThere: ({ id }) => id !== 'image-4' });
    assert.equal(work(second), ['image-4']);
    assert.equal(second.totals, expected);
  }));

test('the working time of all processes and attempts is added up', () =>
  withFolder((folder) => {
    const first = enter(folder);
    work(first, 1);
    const file = join(folder, JOURNAL, `${first.name}.jsonl`);
    const entry = JSON.parse(readFileSync(file, 'utf8')) as { seconds: number };
    writeFileSync(file, `${JSON.stringify({ ...entry, seconds: 1000 })}\n`);
    const second = enter(folder);
    assert.is(second.loop.seconds, 1000);
    work(second, 1);
    assert.ok(second.loop.seconds > 1000);
  }));

test('once another process has completed the stage and taken the checkpoint away, nothing can be written there', () =>
  withFolder((folder) => {
    const { loop } = enter(folder);
    const sample = loop.next() as (typeof samples)[number];
    renameSync(join(folder, 'checkpoint'), join(folder, 'gone'));
    const isGone = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
    assert.throws(() => loop.keep(sample, countsOf(sample)), isGone);
    assert.throws(() => loop.next(), isGone);
    assert.equal(readdirSync(folder), ['gone']);
  }));

test.run();
