import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTermination } from '../../../operator/controller/parse-termination.ts';
import type { LastWord } from '../../../operator/controller/parse-termination.ts';

const result = (fields: object) => JSON.stringify({ result: fields });
const error = (fields: object) => JSON.stringify({ error: fields });

const cases: [why: string, text: string | undefined, expected: LastWord][] = [
  ['no message', undefined, {}],
  ['no JSON', 'Killed', {}],
  ['JSON that was cut', '{"result": {"meanIou": 0.', {}],
  ['neither result nor error', '[1]', {}],
  ['a result that is none', '{"result": 3}', {}],
  ['an error without a message', error({ file: 'a.jpg' }), {}],
  [
    'an error whose file is none',
    error({ message: 'bad', file: 3, field: 'spec.dataset' }),
    { error: { message: 'bad', field: 'spec.dataset' } },
  ],
  ['a percentage', result({ meanIou: 57.2, pixelAccuracy: 0.9 }), { result: { pixelAccuracy: 0.9 } }],
  ['a negative share', result({ meanIou: -0.1, loss: -0.1 }), { result: { loss: -0.1 } }],
  ['a number without end', '{"result": {"loss": 1e999, "meanIou": 0.5}}', { result: { meanIou: 0.5 } }],
  ['a zero with a sign', '{"result": {"loss": -0, "meanIou": -0}}', { result: { loss: 0, meanIou: 0 } }],
  ['one IoU of several', result({ iou: [0.5, 1.5, null, 'x'] }), { result: { iou: [0.5, null, null, null] } }],
  ['more IoUs than there are classes', result({ iou: Array(300).fill(0.5), meanIou: 0.5 }), { result: { meanIou: 0.5 } }],
  ['a digest that is too long', result({ datasetDigest: 'd'.repeat(129) }), { result: {} }],
  ['a digest with a line feed', result({ datasetDigest: 'sha256:\n' }), { result: {} }],
  ['what a status has no place for', result({ seconds: { a: 1 }, meanIou: 0.5 }), { result: { meanIou: 0.5 } }],
];
for (const [why, text, expected] of cases)
  test(`what makes no sense is left out: ${why}`, () => assert.equal(parseTermination(text), expected));

test('of a long path its end is told', () => {
  const file = parseTermination(error({ message: '', file: `${'deep/'.repeat(1000)}a.jpg` })).error?.file ?? '';
  assert.match(file, /^….*deep\/a\.jpg$/);
  assert.is(file.length, 1025);
});

test.run();
