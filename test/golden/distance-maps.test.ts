import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classDistanceMap, scribbleDistanceMap } from '../../trainer-image/data/distance-maps.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';

interface Stored {
  readonly shape: [number, number];
  readonly data: number[];
}
interface Case {
  readonly lambdaExponent: number;
  readonly pseudoLabel: Stored;
  readonly scribble: Stored;
  readonly classDistance: Stored;
  readonly scribbleDistance: Stored;
}

const file = join(process.env['GOLDEN_DIR'] ?? '../shared/golden', 'distance-maps.json');
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

const mapOf = ({ shape: [height, width], data }: Stored): LabelMap => ({ width, height, data: Uint8Array.from(data) });

test('the file holds cases', () => assert.ok(cases.length > 0));

for (const [index, { lambdaExponent, pseudoLabel, scribble, classDistance, scribbleDistance }] of cases.entries()) {
  const name = `case ${index}, ${pseudoLabel.shape.join('×')}, λ = ${lambdaExponent}`;
  test(`${name}: class distances are equal in every byte`, () => {
    assert.equal([...classDistanceMap(mapOf(pseudoLabel), lambdaExponent).data], classDistance.data);
  });
  test(`${name}: scribble distances are equal in every byte`, () => {
    assert.equal([...scribbleDistanceMap(mapOf(scribble), lambdaExponent).data], scribbleDistance.data);
  });
}

test.run();
