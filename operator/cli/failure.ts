import { READING_ADVICE } from '../../trainer-image/data/file-errors.ts';
import { BadInputError, UnavailableError } from '../../trainer-image/errors.ts';
import { fileSystemError } from '../../trainer-image/file-system-error.ts';
import { ExperimentError, formatFinding } from '../api/findings.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { printable } from './progress/format.ts';

/** What is printed for an error, and the code to exit with. `debug` appends the stack trace. */
export function describeFailure(error: unknown, debug: boolean): { text: string; exitCode: number } {
  const { messages, exitCode } = explain(error);
  const stack = debug && error instanceof Error && error.stack !== undefined ? `\n${error.stack}` : '';
  return { text: messages.map((message) => `error: ${printable(message)}`).join('\n') + stack, exitCode };
}

function explain(error: unknown): { messages: string[]; exitCode: number } {
  if (error instanceof ExperimentError) {
    const messages = error.findings.map((finding) => joinParts(error.file, formatFinding(finding)));
    return { messages, exitCode: EXIT_CODES.badInput };
  }
  if (error instanceof BadInputError) {
    return { messages: [joinParts(error.file, error.field, error.message)], exitCode: EXIT_CODES.badInput };
  }
  if (error instanceof UnavailableError) return { messages: [error.message], exitCode: EXIT_CODES.unavailable };
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    return { messages: [error.message], exitCode: error.exitCode };
  }
  if (error instanceof Error) {
    const { code, path } = error as NodeJS.ErrnoException;
    // Of errors that come as the system made them nobody knows whether they were met in reading or writing.
    const advice = code === undefined ? undefined : READING_ADVICE[code];
    if (advice !== undefined) return { messages: [joinParts(path, advice)], exitCode: EXIT_CODES.badInput };
    const writing = fileSystemError(error, undefined, null);
    if (writing !== undefined) return explain(writing);
    return { messages: [`${error.message} (CDSP_DEBUG=1 shows where)`], exitCode: EXIT_CODES.failure };
  }
  return { messages: [String(error)], exitCode: EXIT_CODES.failure };
}

function joinParts(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(': ');
}
