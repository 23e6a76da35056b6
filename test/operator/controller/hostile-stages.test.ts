// Whatever stages tell of themselves, the status that is made of it is one that the API server takes, and gives back as it is.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { STAGES } from '../../../operator/api/experiment.ts';
import { ExperimentStatus } from '../../../operator/api/status.ts';
import { parseProgress } from '../../../operator/controller/parse-progress.ts';
import { largestStatus } from '../../api/largest-status.ts';
import { World } from './world/world.ts';

/** Numbers that JSON can hold and JSON.stringify never writes. */
const ODD_NUMBERS = ['1e999', '-1e999', '-0'];
const jsonOf = (value: unknown): string =>
  ODD_NUMBERS.reduce((json, odd) => json.replaceAll(JSON.stringify(`number ${odd}`), odd), JSON.stringify(value) ?? '');

const sign = fc.constantFrom(
  '類',
  '🐈',
  '\ud83d',
  '\udc08',
  '\u007f',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\uffff',
  '\u0000',
  '\u001b[31m',
  'x',
  '',
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.tuple(sign, fc.constantFrom(1, 62, 63, 64, 128, 1100, 5000)).map(([letter, times]) => letter.repeat(times)),
);
const number = fc.oneof(
  fc.double({ noNaN: true }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom<number | string>(57.2, 1.5, -1, 1e19, Number.MAX_VALUE, ...ODD_NUMBERS.map((odd) => `number ${odd}`)),
);
const names = fc.oneof(
  fc.array(text, { maxLength: 5 }),
  fc.constant(Array.from({ length: 300 }, (_, index) => `${'y'.repeat(62)}${index}`)),
);
const numbers = fc.oneof(
  fc.array(fc.oneof(number, fc.constant(null), text), { maxLength: 5 }),
  fc.constantFrom(Array(255).fill(0.5), Array(300).fill(0.5)),
);
const anything = fc.oneof(number, text, names, numbers, fc.boolean(), fc.constant(null), fc.object({ maxDepth: 2 }));
const named = (...fields: string[]) => fc.record(Object.fromEntries(fields.map((field) => [field, anything])), { requiredKeys: [] });

/** As many names as numbers; the names differ at their beginning, at their end or not at all. */
const classes = fc
  .tuple(fc.constantFrom(1, 2, 3, 3, 255, 256), number, text, fc.constantFrom('start', 'end', 'nowhere'))
  .map(([count, value, word, place]) => ({
    iou: Array(count).fill(value),
    classes: Array.from({ length: count }, (_, index) => `${place === 'start' ? index : ''}${word}${place === 'end' ? index : ''}`),
  }));
const RESULT = named('meanIou', 'pixelAccuracy', 'loss', 'iou', 'classes', 'datasetDigest', 'reused');
const message = fc.oneof(
  fc.record({ result: fc.oneof(RESULT, classes) }).map(jsonOf),
  fc.record({ error: named('message', 'file', 'field') }).map(jsonOf),
  fc.record({ error: fc.record({ message: text, file: text, field: text }) }).map(jsonOf),
  fc.tuple(RESULT, fc.nat(50)).map(([result, length]) => jsonOf({ result }).slice(0, length)),
  anything.map(jsonOf),
  text,
);
const PROGRESS = named('done', 'total', 'loss', 'learningRate', 'epoch', 'meanIou', 'iou', 'classes', 'terms');
const terms = fc.record({ done: fc.nat(9), total: fc.nat(9), terms: fc.dictionary(text, number, { maxKeys: 40 }) });
const progress = fc.oneof(PROGRESS, terms, classes).map((fields) => jsonOf({ done: 1, total: 2, ...fields, key: 'key' }));

/** Signs that YAML takes as they are, as which a status is applied, within JSON. */
const TAKEN = /^[\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u;
/** As JSON writes it; not a backslash before the same letters. */
const HALF_A_LETTER = /(?<!\\)(\\\\)*\\ud[89a-f]/;
const MOST_BYTES = Buffer.byteLength(JSON.stringify(largestStatus()));

function check(status: ExperimentStatus | undefined): void {
  const json = JSON.stringify(status);
  assert.equal(ExperimentStatus.parse(status), status);
  assert.ok(isDeepStrictEqual(JSON.parse(json), status), 'a number or text changes on its way');
  assert.ok(TAKEN.test(json) && !HALF_A_LETTER.test(json), 'holds what YAML does not');
  assert.ok(Buffer.byteLength(json) <= MOST_BYTES, `has ${Buffer.byteLength(json)} bytes`);
  const lists = [
    status?.conditions?.map(({ type }) => type),
    status?.results?.classes,
    ...(status?.stages ?? []).map(({ losses }) => losses),
  ];
  for (const list of lists) {
    const entries = (list ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.name));
    assert.equal(entries, [...new Set(entries)], 'names that occur twice');
  }
}

/** Undefined where the poller would take the answer for none. */
function liveOf(answer: string) {
  try {
    return parseProgress(answer, 'key');
  } catch {
    return undefined;
  }
}

test('whatever stages tell while they run and when they end, the status is valid and the experiment goes on', async () => {
  const ending = fc.record({ message, answer: progress, exitCode: fc.constantFrom(0, 0, 0, 1, 65) });
  await fc.assert(
    fc.asyncProperty(fc.array(ending, { minLength: 4, maxLength: 4 }), async (endings) => {
      const world = new World();
      world.create('cats', { retries: 1 });
      await world.step();
      for (const [index, { message: told, answer, exitCode }] of endings.entries()) {
        const stage = STAGES[index];
        const live = liveOf(answer);
        if (live !== undefined) world.live.set(stage, live);
        world.time += 5000;
        await world.step();
        check(world.status());
        await world.end(stage, exitCode, told);
        check(world.status());
        world.live.clear();
        if (exitCode === 1) await world.end(stage, 0, told);
        check(world.status());
        if (exitCode === 65) break;
      }
      const hasFailed = endings.some(({ exitCode }) => exitCode === 65);
      assert.is(world.status()?.phase, hasFailed ? 'Failed' : 'Succeeded');
      world.time += 60_000;
      assert.equal(await world.requestsOf(() => world.step()), [], 'nothing is left to tell');
    }),
    { includeErrorInReport: true, numRuns: Number(process.env.CDSP_TEST_RUNS ?? 150) },
  );
});

test.run();
