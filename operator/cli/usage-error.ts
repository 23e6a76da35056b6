import { EXIT_CODES } from './exit-codes.ts';

/** An option whose value or company makes no sense, where it takes more than commander's own checks to see it. */
export class UsageError extends Error {
  readonly exitCode = EXIT_CODES.usage;

  constructor(option: string, message: string) {
    super(`${option}: ${message}`);
    this.name = 'UsageError';
  }
}
