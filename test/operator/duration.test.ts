import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatDuration } from '../../operator/duration.ts';

const test = suite('duration');

const durations: [seconds: number, text: string][] = [
  [-3, '0 s'],
  [0, '0 s'],
  [0.84, '0.8 s'],
  [9.94, '9.9 s'],
  [9.99, '10 s'],
  [59.6, '1 min'],
  [185, '3 min 5 s'],
  [3599.6, '1 h'],
  [3605, '1 h'],
  [8040, '2 h 14 min'],
  [100000, '1 d 3 h'],
];
for (const [seconds, text] of durations) test(`${seconds} seconds are "${text}"`, () => assert.is(formatDuration(seconds), text));

test.run();
