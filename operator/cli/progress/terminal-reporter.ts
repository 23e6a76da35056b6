import type { StageOutcome } from '../../local/run-events.ts';
import type { Paint, TextStream } from '../style.ts';
import { renderBar } from './bar.ts';
import { printable } from './format.ts';
import type { Clock, ReportedEvent, RunReporter } from './reporter.ts';
import { createStageState, describeEnd, type StageState } from './stage-state.ts';

const REDRAW_SECONDS = 0.1;
const DEFAULT_COLUMNS = 80;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

const MARKS: Record<StageOutcome, [mark: string, colour: 'green' | 'red' | 'yellow' | 'dim']> = {
  Complete: ['✓', 'green'],
  Cached: ['=', 'dim'],
  Failed: ['✗', 'red'],
  Interrupted: ['!', 'yellow'],
};

export interface TerminalReporterOptions {
  readonly stream: TextStream & { on?(name: 'resize', listener: () => void): unknown; off?(name: 'resize', listener: () => void): unknown };
  readonly paint: Paint;
  readonly clock: Clock;
  /** Two characters: done and to do. */
  readonly blocks?: string;
}

/** One bar for the running stage, redrawn in place; each finished stage leaves one line above it. */
export function createTerminalReporter({ stream, paint, clock, blocks }: TerminalReporterOptions): RunReporter {
  let state: StageState | undefined;
  let drawnLength = 0;
  let drawnAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  const columns = () => (stream.columns !== undefined && stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS);

  /** Back to an empty line, also where a narrower window has broken the bar into several rows. */
  const erase = () => {
    if (drawnLength === 0) return '';
    const rows = Math.max(1, Math.ceil(drawnLength / columns()));
    drawnLength = 0;
    return rows > 1 ? `\r\x1b[${rows - 1}A\x1b[J` : '\r\x1b[K';
  };
  const draw = () => {
    const now = clock();
    const progress = state?.progress(now);
    if (state === undefined) return;
    const line =
      progress === undefined ? `${state.stage}  starting`.slice(0, columns() - 1) : renderBar(progress, columns(), paint, blocks);
    const before = erase();
    drawnLength = printable(line).length;
    drawnAt = now;
    stream.write(before + line);
  };
  const print = (line: string) => {
    stream.write(`${erase()}${line}\n`);
    draw();
  };
  const begin = (next: StageState) => {
    state = next;
    stream.write(HIDE_CURSOR);
    draw();
    // The time left counts down and a resized window is mended between two events, too.
    timer ??= setInterval(draw, 1000).unref();
    stream.on?.('resize', draw);
  };
  const end = () => {
    stream.write(erase() + (state === undefined ? '' : SHOW_CURSOR));
    clearInterval(timer);
    timer = undefined;
    state = undefined;
    stream.off?.('resize', draw);
  };
  const title = (stage: string) => paint('bold', stage.padEnd(12));

  return {
    report(event: ReportedEvent) {
      switch (event.type) {
        case 'plan':
          print(`${paint('bold', event.experiment)}  ${paint('dim', event.storage)}`);
          return;
        case 'start':
          end();
          if (event.attempt > 1) print(paint('yellow', `  ${event.stage}: attempt ${event.attempt}`));
          begin(createStageState(event.stage, clock()));
          return;
        case 'stage':
          if (event.event.type === 'log') {
            const text = `  ${printable(event.event.message)}`;
            print(event.event.level === 'warning' ? paint('yellow', text) : paint('dim', text));
          } else if (event.event.type === 'progress') {
            state?.update(event.event, clock());
            if (clock() - drawnAt >= REDRAW_SECONDS) draw();
          }
          return;
        case 'end': {
          end();
          const [mark, colour] = MARKS[event.outcome];
          print(`${paint(colour, mark)} ${title(event.stage)} ${describeEnd(event.outcome, event.seconds, event.metrics)}`);
          return;
        }
        case 'note':
          print(event.level === 'warning' ? paint('yellow', printable(event.message)) : printable(event.message));
          return;
        default:
          event satisfies never;
      }
    },
    close: end,
  };
}
