import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageEvent } from '../../operator/api/stage-contract.ts';
import { writeTerminationMessage } from '../../trainer-image/termination-message.ts';

const folder = mkdtempSync(join(tmpdir(), 'cdsp-termination-'));
test.after(() => rmSync(folder, { recursive: true }));

let count = 0;
/** What is in the file after these events; undefined where it was never written. */
function written(...events: StageEvent[]): unknown {
  const file = join(folder, String(count++));
  for (const event of events) writeTerminationMessage(file, event);
  try {
    const text = readFileSync(file, 'utf8');
    assert.ok(Buffer.byteLength(text) <= 4096, 'Kubernetes keeps no more');
    return JSON.parse(text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

test('the result is the last word of a stage that succeeds', () => {
  const progress: StageEvent = { type: 'progress', label: 'epoch 1/1', done: 1, total: 1, unit: 'step' };
  assert.is(written(progress), undefined);
  assert.equal(written(progress, { type: 'result', metrics: { meanIou: 0.5 } }), { result: { meanIou: 0.5 } });
});

test('an error keeps file and field, whatever the length of its message', () => {
  const error = { file: 'a.jpg', field: 'spec.dataset', message: 'ä'.repeat(9000) };
  const { error: kept } = written({ type: 'error', exitCode: 65, ...error }) as { error: typeof error };
  assert.equal([kept.file, kept.field], ['a.jpg', 'spec.dataset']);
  assert.match(kept.message, /^ä{1000,}…$/);
});

test('of metrics that are too long the longest go first', () => {
  const iou = Array.from({ length: 900 }, (_, k) => k / 900);
  assert.equal(written({ type: 'result', metrics: { meanIou: 0.5, iou, images: 3 } }), { result: { meanIou: 0.5, images: 3 } });
});

test.run();
