import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createJsonReporter } from '../../../../operator/cli/progress/json-reporter.ts';
import { createLineReporter } from '../../../../operator/cli/progress/line-reporter.ts';
import type { RunEvent } from '../../../../operator/local/run-events.ts';
import { createTerminalReporter } from '../../../../operator/cli/progress/terminal-reporter.ts';
import { coloured, plain } from '../../../../operator/cli/style.ts';
import { createScreen } from './screen.ts';

/** A run that is told to a reporter, at times of its own. */
function step(done: number, label = 'epoch 1/2', more: object = {}): RunEvent {
  return { type: 'stage', stage: 'segment', event: { type: 'progress', label, done, total: 100, unit: 'step', loss: 1.5, ...more } };
}
const start: RunEvent = { type: 'start', stage: 'segment', attempt: 1 };
const end: RunEvent = { type: 'end', stage: 'segment', outcome: 'Complete', seconds: 83, metrics: { meanIou: 0.739, loss: 0.51 } };

function terminal(columns: number, paint = plain) {
  let now = 0;
  const screen = createScreen(columns);
  const reporter = createTerminalReporter({ stream: screen, paint, clock: () => now });
  return {
    screen,
    at: (seconds: number, ...events: RunEvent[]) => {
      now = seconds;
      events.forEach((event) => reporter.report(event));
    },
    close: () => reporter.close(),
  };
}

test('a terminal shows one bar that is redrawn in place', () => {
  const { screen, at, close } = terminal(80);
  at(0, start);
  for (let done = 0; done <= 50; done++) at(done, step(done));
  assert.is(screen.lines().length, 1);
  assert.match(screen.lines()[0], /^segment {6}█{6}░{6} {2}epoch 1\/2 .* loss 1\.500 .*0:50 left$/);
  close();
});

test('a finished stage leaves one line with its duration and key metrics', () => {
  const { screen, at, close } = terminal(80);
  at(0, start, step(0));
  at(83, step(100), end);
  close();
  assert.equal(screen.lines(), ['✓ segment      1 min 23 s, mIoU 73.9 %, loss 0.510', '']);
  assert.ok(screen.cursorIsVisible());
  assert.is(screen.listeners, 0);
});

test('messages appear above the bar', () => {
  const { screen, at, close } = terminal(80);
  at(0, start, step(0));
  at(1, { type: 'stage', stage: 'segment', event: { type: 'log', level: 'warning', message: '3 images have\x1b[2J no scribble' } });
  assert.is(screen.lines()[0], '  3 images have no scribble');
  assert.match(screen.lines()[1], /^segment/);
  close();
});

test('a window made narrower leaves no rests of the old bar', () => {
  const { screen, at, close } = terminal(120);
  at(0, start, step(0));
  at(10, step(10, 'epoch 1/2', { meanIou: 0.5, terms: { scribble: 1, pseudoLabel: 2 } }));
  screen.resize(40);
  assert.equal(screen.lines(), ['segment █░░░░░░░  loss 1.500  1:30 left']);
  screen.resize(150);
  assert.is(screen.lines().length, 1);
  close();
});

test('a stage that is cached or fails has a mark of its own', () => {
  const { screen, at, close } = terminal(80);
  at(0, { ...end, outcome: 'Cached' }, { ...end, outcome: 'Failed' }, { ...end, outcome: 'Interrupted' });
  close();
  assert.equal(screen.lines().slice(0, 3), [
    '= segment      done before, mIoU 73.9 %, loss 0.510',
    '✗ segment      failed after 1 min 23 s',
    '! segment      interrupted after 1 min 23 s',
  ]);
});

test('without colours no colour code is written', () => {
  for (const [paint, expected] of [
    [plain, false],
    [coloured, true],
  ] as const) {
    const { screen, at, close } = terminal(80, paint);
    at(0, start, step(0), end);
    close();
    // eslint-disable-next-line no-control-regex -- colour codes are looked for
    assert.is(/\x1b\[[0-9;]*m/.test(screen.raw), expected);
  }
});

function log(events: readonly (readonly [seconds: number, event: RunEvent])[]): string[] {
  let now = 0;
  let text = '';
  const reporter = createLineReporter({ stream: { write: (more: string) => (text += more) }, clock: () => now });
  for (const [seconds, event] of events) {
    now = seconds;
    reporter.report(event);
  }
  reporter.close();
  // eslint-disable-next-line no-control-regex -- control characters are looked for
  assert.not.match(text, /[\x00-\x09\x0b-\x1f\x7f]/);
  return text.split('\n').slice(0, -1);
}

test('a log has a line when another tenth is done, none closer than five seconds', () => {
  const steps = Array.from({ length: 101 }, (_, done) => [done * 0.3, step(done)] as const);
  const lines = log([[0, start], ...steps, [31, end]]);
  assert.equal(lines, [
    '[0:00] segment: started',
    '[0:05] segment: 17 %, epoch 1/2, 17/100, loss 1.500, 3.3 steps/s, 0:25 left',
    '[0:10] segment: 34 %, epoch 1/2, 34/100, loss 1.500, 3.3 steps/s, 0:20 left',
    '[0:15] segment: 51 %, epoch 1/2, 51/100, loss 1.500, 3.3 steps/s, 0:15 left',
    '[0:20] segment: 68 %, epoch 1/2, 68/100, loss 1.500, 3.3 steps/s, 0:10 left',
    '[0:26] segment: 85 %, epoch 1/2, 85/100, loss 1.500, 3.3 steps/s, 0:05 left',
    '[0:31] segment: complete, 1 min 23 s, mIoU 73.9 %, loss 0.510',
  ]);
});

test('a log of a slow stage has a sign of life within every minute', () => {
  const steps = Array.from({ length: 7 }, (_, done) => [done * 20, step(done)] as const);
  const lines = log([[0, start], ...steps]);
  assert.equal(
    lines.map((line) => line.slice(0, 24)),
    ['[0:00] segment: started', '[0:20] segment: 1 %, epo', '[1:20] segment: 4 %, epo'],
  );
});

test('a log has a line for a new epoch', () => {
  const lines = log([
    [0, start],
    [6, step(50, 'epoch 1/2')],
    [13, step(51, 'epoch 2/2')],
  ]);
  assert.is(lines.length, 3);
  assert.match(lines[2], /epoch 2\/2/);
});

test('JSON is one event a line and nothing else', () => {
  let text = '';
  const reporter = createJsonReporter({ write: (more: string) => (text += more) });
  const events = [start, step(1), end];
  events.forEach((event) => reporter.report(event));
  reporter.close();
  assert.equal(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent),
    events,
  );
});

test.run();
