import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { readShard } from '../../../trainer-image/stages/shard.ts';

const good: [why: string, shards: number | undefined, environment: NodeJS.ProcessEnv, shard: { number: number; of: number }][] = [
  ['a stage without shards is done by one', undefined, { JOB_COMPLETION_INDEX: '3' }, { number: 0, of: 1 }],
  ['one shard needs no number', 1, {}, { number: 0, of: 1 }],
  ['the number comes from the Indexed Job', 4, { JOB_COMPLETION_INDEX: '3' }, { number: 3, of: 4 }],
  ['what is set for this purpose counts first', 4, { CDSP_SHARD: '1', JOB_COMPLETION_INDEX: '3' }, { number: 1, of: 4 }],
];
for (const [why, shards, environment, shard] of good) {
  test(why, () => assert.equal(readShard({ stage: 'evaluate', shards }, environment), shard));
}

const bad: [why: string, environment: NodeJS.ProcessEnv, field: string, message: RegExp][] = [
  ['is missing', {}, 'CDSP_SHARD', /3 shards, but nothing says which this is; set CDSP_SHARD .* 0 to 2$/],
  ['is too large', { JOB_COMPLETION_INDEX: '3' }, 'JOB_COMPLETION_INDEX', /"3" is none of the stage's 3 shards.* 0 to 2$/],
  ['is negative', { CDSP_SHARD: '-1' }, 'CDSP_SHARD', /"-1" is none/],
  ['is no number', { CDSP_SHARD: 'one' }, 'CDSP_SHARD', /"one" is none/],
  ['is empty', { CDSP_SHARD: '' }, 'CDSP_SHARD', /"" is none/],
  ['is no whole number', { CDSP_SHARD: '1.5' }, 'CDSP_SHARD', /"1.5" is none/],
];
for (const [why, environment, field, message] of bad) {
  test(`a shard number that ${why} is refused`, () => {
    assert.throws(
      () => readShard({ stage: 'pseudo-label', shards: 3 }, environment),
      (error: unknown) => error instanceof BadInputError && error.field === field && message.test(error.message),
    );
  });
}

test('a training cannot be shared', () => {
  for (const stage of ['classify', 'segment'] as const) {
    assert.throws(
      () => readShard({ stage, shards: 2 }, { CDSP_SHARD: '0' }),
      (error: unknown) =>
        error instanceof BadInputError && error.field === 'shards' && error.message.startsWith(`${stage} cannot be shared`),
    );
  }
});

test.run();
