import { writeFileSync } from 'node:fs';
import type { StageEvent, StageMetrics } from '../operator/api/stage-contract.ts';

/** Kubernetes keeps so many bytes of a container's termination message. */
const MOST_BYTES = 4096;

/** Metrics that fit: those with the longest values are left out first, until the message is short enough. */
function fitting(metrics: StageMetrics): string {
  const entries = Object.entries(metrics);
  for (;;) {
    const text = JSON.stringify({ result: Object.fromEntries(entries) });
    if (Buffer.byteLength(text) <= MOST_BYTES || entries.length === 0) return text;
    const lengths = entries.map(([, value]) => JSON.stringify(value).length);
    entries.splice(lengths.indexOf(Math.max(...lengths)), 1);
  }
}

function shortened(error: Extract<StageEvent, { type: 'error' }>): string {
  const { message, file, field } = error;
  for (let length = message.length; ; length = Math.floor(length / 2)) {
    const text = JSON.stringify({ error: { message: length < message.length ? `${message.slice(0, length)}…` : message, file, field } });
    if (Buffer.byteLength(text) <= MOST_BYTES || length === 0) return text;
  }
}

/**
 * Writes the last word of a stage, its result or its error, where Kubernetes picks it up: it survives the pod's logs and its node.
 * Other events leave the file alone.
 */
export function writeTerminationMessage(file: string, event: StageEvent): void {
  if (event.type === 'result') writeFileSync(file, fitting(event.metrics));
  if (event.type === 'error') writeFileSync(file, shortened(event));
}
