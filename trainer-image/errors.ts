/** Input that a person has to mend. Ends a stage with exit code 65 and is never tried again. */
export class BadInputError extends Error {
  readonly file: string | undefined;
  readonly field: string | undefined;

  constructor(message: string, where: { file?: string; field?: string; cause?: unknown } = {}) {
    super(message, { cause: where.cause });
    this.name = 'BadInputError';
    this.file = where.file;
    this.field = where.field;
  }
}

/** Something that set-up provides is missing. Ends a stage with exit code 69. */
export class UnavailableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnavailableError';
  }
}
