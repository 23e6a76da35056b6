import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageInput } from '../../../operator/api/stage-contract.ts';
import { parseStageEvent, startStageProcess } from '../../../operator/local/stage-process.ts';
import { withFolder } from './temporary-folder.ts';

const progress = { type: 'progress', label: 'epoch 1/2', done: 1, total: 10, unit: 'step', loss: 0.5, terms: { scribble: 0.5 } };
const events: [why: string, event: Record<string, unknown>][] = [
  ['progress', progress],
  ['a log line', { type: 'log', level: 'warning', message: 'no weights' }],
  ['a result', { type: 'result', metrics: { meanIou: 0.5, iou: [0.4, null], best: 'cat' } }],
  ['an error', { type: 'error', exitCode: 65, file: 'a.png', field: 'spec.dataset', message: 'is empty' }],
];
for (const [why, event] of events) test(`an event is read: ${why}`, () => assert.equal(parseStageEvent(JSON.stringify(event)), event));

const others: [why: string, line: string][] = [
  ['free text', 'oneDNN is on'],
  ['an empty line', ''],
  ['JSON of something else', '{"a":1}'],
  ['half a line', '{"type":"log","level":'],
  ['an event of a later version', JSON.stringify({ type: 'sparkle' })],
  ['a loss that is no number', JSON.stringify({ ...progress, loss: NaN })],
];
for (const [why, line] of others) test(`what is no event is let go: ${why}`, () => assert.is(parseStageEvent(line), undefined));

test('a stage that has ended is not signalled, and no timer waits for it', () =>
  withFolder(async (folder) => {
    const trainer = join(folder, 'quick.ts');
    writeFileSync(trainer, 'process.exitCode = 3;');
    const stage = startStageProcess({} as StageInput, { trainer, onEvent: () => {} });
    assert.is((await stage.ended).code, 3);
    stage.stop(3_600_000);
    assert.not.ok(process.getActiveResourcesInfo().includes('Timeout'));
  }));

test.run();
