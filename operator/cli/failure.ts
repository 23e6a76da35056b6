import { BadInputError } from '../../trainer-image/errors.ts';
import { ExperimentError, formatFinding } from '../api/findings.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { printable } from './progress/format.ts';

const FILE_TROUBLE: Record<string, [exitCode: number, advice: string]> = {
  ENOENT: [EXIT_CODES.badInput, 'there is no such file or folder; check the path'],
  ENOTDIR: [EXIT_CODES.badInput, 'a part of the path is a file, not a folder; check the path'],
  EISDIR: [EXIT_CODES.badInput, 'this is a folder; name a file'],
  EACCES: [EXIT_CODES.badInput, 'no permission; change the permissions or choose another folder'],
  EPERM: [EXIT_CODES.badInput, 'no permission; change the permissions or choose another folder'],
  EROFS: [EXIT_CODES.badInput, 'the file system is read-only; choose another folder'],
  ENOSPC: [EXIT_CODES.badInput, 'the disk is full; make room and start the same command again, it resumes'],
};

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
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    return { messages: [error.message], exitCode: error.exitCode };
  }
  if (error instanceof Error) {
    const { code, path } = error as NodeJS.ErrnoException;
    const known = code === undefined ? undefined : FILE_TROUBLE[code];
    if (known !== undefined) return { messages: [joinParts(path, known[1])], exitCode: known[0] };
    return { messages: [`${error.message} (CDSP_DEBUG=1 shows where)`], exitCode: EXIT_CODES.failure };
  }
  return { messages: [String(error)], exitCode: EXIT_CODES.failure };
}

function joinParts(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(': ');
}
