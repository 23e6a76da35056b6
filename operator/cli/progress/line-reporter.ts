import type { TextStream } from '../style.ts';
import { renderLine, share } from './bar.ts';
import { formatClock, printable } from './format.ts';
import type { Clock, ReportedEvent, RunReporter } from './reporter.ts';
import { createStageState, describeEnd, type StageState } from './stage-state.ts';

/** Not more often than this, however quickly epochs go by … */
const SHORTEST_PAUSE_SECONDS = 5;
/** … and a sign of life at least this often, as long as events come. */
const LONGEST_PAUSE_SECONDS = 60;

/** Plain lines for a log: one at a new epoch or tenth of the work, none closer than five seconds; no control characters. */
export function createLineReporter({ stream, clock }: { stream: TextStream; clock: Clock }): RunReporter {
  const beginning = clock();
  let state: StageState | undefined;
  let shown = { at: -Infinity, label: '', tenth: 0 };
  const print = (text: string) => stream.write(`[${formatClock(clock() - beginning)}] ${printable(text)}\n`);

  return {
    report(event: ReportedEvent) {
      switch (event.type) {
        case 'plan':
          print(`${event.experiment}: artifacts in ${event.storage}`);
          return;
        case 'start':
          state = createStageState(event.stage, clock());
          shown = { at: clock(), label: '', tenth: 0 };
          print(`${event.stage}: started${event.attempt > 1 ? ` (attempt ${event.attempt})` : ''}`);
          return;
        case 'stage': {
          const now = clock();
          if (event.event.type === 'log') {
            print(`${event.stage}: ${event.event.level === 'warning' ? 'warning: ' : ''}${event.event.message}`);
          } else if (event.event.type === 'progress' && state !== undefined) {
            state.update(event.event, now);
            const progress = state.progress(now);
            if (progress === undefined) return;
            const tenth = Math.floor(share(progress) * 10);
            const news = progress.label !== shown.label || tenth !== shown.tenth;
            const pause = now - shown.at;
            if ((news && pause >= SHORTEST_PAUSE_SECONDS) || pause >= LONGEST_PAUSE_SECONDS) {
              shown = { at: now, label: progress.label, tenth };
              print(renderLine(progress));
            }
          }
          return;
        }
        case 'end': {
          state = undefined;
          const prefix = event.outcome === 'Complete' ? 'complete, ' : '';
          print(`${event.stage}: ${prefix}${describeEnd(event.outcome, event.seconds, event.metrics)}`);
          return;
        }
        case 'note':
          print(`${event.level === 'warning' ? 'warning: ' : ''}${event.message}`);
          return;
        default:
          event satisfies never;
      }
    },
    close() {
      state = undefined;
    },
  };
}
