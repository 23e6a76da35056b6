import type { RunEvent } from '../../local/run-events.ts';

/** `predict`, `import` and `synth` show their work like a stage of that name. */
type AnyName<Event> = Event extends { stage: unknown } ? Omit<Event, 'stage'> & { readonly stage: string } : Event;

/** What a command reports to whoever shows it. Times are in seconds. */
export type ReportedEvent = AnyName<RunEvent>;

/** Shows a run while it goes on: bars, lines or JSON. */
export interface RunReporter {
  report(event: ReportedEvent): void;
  /** Leaves the terminal as it was; nothing may be reported afterwards. */
  close(): void;
}

/** Seconds from any fixed moment; monotonic. */
export type Clock = () => number;
