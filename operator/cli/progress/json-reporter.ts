import type { TextStream } from '../style.ts';
import type { ReportedEvent, RunReporter } from './reporter.ts';

/** One JSON object per line; docs/cli.md describes them. */
export function createJsonReporter(stream: TextStream): RunReporter {
  return {
    report(event: ReportedEvent) {
      stream.write(`${JSON.stringify(event)}\n`);
    },
    close() {
      // Nothing is held back, so there is nothing to finish.
    },
  };
}
