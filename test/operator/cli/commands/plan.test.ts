import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderForecast } from '../../../../operator/cli/commands/plan.ts';
import { plain } from '../../../../operator/cli/style.ts';
import type { StageForecast } from '../../../../operator/plan/forecast.ts';

const reused = { stage: 'segment', key: 'a'.repeat(64), action: 'Reuse', because: ['complete with the same inputs'] } as const;
const gone = { stage: 'classify', key: 'b'.repeat(64), action: 'Omit', because: ['no stage needs it'] } as const;

const cases: [why: string, stages: StageForecast[], last: string][] = [
  ['all stages are there', [reused], 'Nothing to do: every stage is complete.'],
  ['one is gone that nobody needs', [gone, reused], 'Nothing to do: every stage that is needed is complete.'],
  ['there is something to run', [gone, { ...reused, action: 'Run' }], 'Would run: segment.'],
];
for (const [why, stages, last] of cases) {
  test(`a plan's last line where ${why}`, () => assert.is(renderForecast(stages, plain).trimEnd().split('\n').at(-1), last));
}

test.run();
