import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  EXIT,
  PORT_ENVIRONMENT,
  SHARD_ENVIRONMENTS,
  STAGE_ENVIRONMENT,
  StageEvent,
  TERMINATION_LOG_ENVIRONMENT,
  WATCH_STDIN_ENVIRONMENT,
} from '../../operator/api/stage-contract.ts';
import { inspectFolder } from '../../trainer-image/stage-folder.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';

const GUIDE = readFileSync(new URL('../../docs/trainer-contract.md', import.meta.url), 'utf8');
const [, SCRIPT] = /```js\n(.*?)```/s.exec(GUIDE) ?? [];

test('docs/trainer-contract.md names every variable and every exit code of stages', () => {
  const variables = [STAGE_ENVIRONMENT, WATCH_STDIN_ENVIRONMENT, PORT_ENVIRONMENT, TERMINATION_LOG_ENVIRONMENT, ...SHARD_ENVIRONMENTS];
  for (const name of variables) assert.match(GUIDE, `\`${name}\``);
  for (const code of [EXIT.success, EXIT.badInput, EXIT.upstreamMissing, EXIT.unavailable, EXIT.interrupted])
    assert.match(GUIDE, `\n| ${code}`);
});

test('its example is a stage: it completes its folder, is not run again and misses what is not there', () =>
  withFolder(async (root) => {
    const [script, output, segment, log] = ['my-stage.mjs', 'evaluate', 'segment', 'log'].map((name) => join(root, name));
    writeFileSync(script, SCRIPT);
    const input = { version: 'v1', experiment: 'e', stage: 'evaluate', key: 'k', spec: {}, upstream: { segment }, output };
    const run = (told = input) => {
      const env = { [STAGE_ENVIRONMENT]: JSON.stringify(told), [TERMINATION_LOG_ENVIRONMENT]: log };
      const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env });
      assert.is(stderr.toString(), '');
      const events = stdout.toString().trim().split('\n');
      return { status, last: StageEvent.parse(JSON.parse(events.at(-1) ?? '')), word: JSON.parse(readFileSync(log, 'utf8')) as unknown };
    };
    const missing = run();
    assert.is(missing.status, EXIT.upstreamMissing);
    assert.equal(missing.word, { error: { message: 'the artifacts of segment are not there', file: segment } });

    const far = { ...input, upstream: { segment: '/類'.repeat(3000) } };
    assert.is(run(far).status, EXIT.upstreamMissing);
    assert.ok(readFileSync(log).length <= 4096);

    mkdirSync(segment);
    writeFileSync(join(segment, 'manifest.json'), '{}');
    const first = run();
    assert.equal([first.status, first.last, first.word], [0, { type: 'result', metrics: { meanIou: 0.5 } }, { result: { meanIou: 0.5 } }]);
    assert.is((await inspectFolder(output, { name: 'evaluate', key: 'k' }, true)).kind, 'Complete');

    const again = run();
    assert.equal([again.status, again.last], [0, { type: 'result', metrics: { meanIou: 0.5, reused: true } }]);
    writeFileSync(join(output, 'evaluation.json'), '');
    assert.equal(run().last, first.last);
  }));

test.run();
