import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classDistanceMap, scribbleDistanceMap } from '../../trainer-image/data/distance-maps.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';
import { eachGoldenCase, type GoldenArray } from './golden.ts';

interface Case {
  readonly lambdaExponent: number;
  readonly pseudoLabel: GoldenArray;
  readonly scribble: GoldenArray;
  readonly classDistance: GoldenArray;
  readonly scribbleDistance: GoldenArray;
}

const mapOf = ({ shape: [height, width], data }: GoldenArray): LabelMap => ({ width, height, data: Uint8Array.from(data) });

eachGoldenCase<Case>('distance-maps.json', ({ lambdaExponent, pseudoLabel, scribble, classDistance, scribbleDistance }, index) => {
  const name = `case ${index}, ${pseudoLabel.shape.join('×')}, λ = ${lambdaExponent}`;
  test(`${name}: class distances are equal in every byte`, () => {
    assert.equal([...classDistanceMap(mapOf(pseudoLabel), lambdaExponent).data], classDistance.data);
  });
  test(`${name}: scribble distances are equal in every byte`, () => {
    assert.equal([...scribbleDistanceMap(mapOf(scribble), lambdaExponent).data], scribbleDistance.data);
  });
});

test.run();
