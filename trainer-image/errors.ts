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

/** Several of these, found in one look. Who can show one error only shows the first, and how many there are. */
export class BadInputErrors extends BadInputError {
  readonly errors: readonly BadInputError[];

  constructor(errors: readonly [BadInputError, ...BadInputError[]]) {
    const [{ message, file, field }] = errors;
    super(`${message} (the first of ${errors.length} findings; \`cdsp validate\` shows all)`, { file, field });
    this.name = 'BadInputErrors';
    this.errors = errors;
  }
}

/** Gathers bad input over several attempts, so that a person is told of all of it at once. */
export class BadInputs {
  readonly #errors: BadInputError[] = [];

  get errors(): readonly BadInputError[] {
    return this.#errors;
  }

  /** The result of `work`; undefined where it met bad input, which is kept. Other errors are thrown. */
  async attempt<Result>(work: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      this.#errors.push(...(error instanceof BadInputErrors ? error.errors : [error]));
      return undefined;
    }
  }

  /** What attempts have given, none of it undefined. @throws BadInputError, BadInputErrors if there was any */
  all<Results extends object>(results: Results): { readonly [Name in keyof Results]: Exclude<Results[Name], undefined> } {
    const [first, ...others] = this.#errors;
    if (first !== undefined) throw others.length === 0 ? first : new BadInputErrors([first, ...others]);
    return results as ReturnType<typeof this.all<Results>>;
  }
}

/** The artifacts of an earlier stage are not there, or not complete. Ends a stage with exit code 66; that stage has to run again. */
export class UpstreamMissingError extends BadInputError {
  constructor(message: string, where: { file: string; field: string }) {
    super(message, where);
    this.name = 'UpstreamMissingError';
  }
}

/** Something that set-up provides is missing. Ends a stage with exit code 69. */
export class UnavailableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnavailableError';
  }
}
