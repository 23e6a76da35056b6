import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { whileWriting } from '../file-system-error.ts';

/**
 * A JSON-lines file that grows with the training. After an interruption the lines at and after the step that the training goes
 * on with are dropped, so the file ends up as in an uninterrupted run.
 */
export class History<Line extends { readonly step: number }> {
  readonly #file: string;
  #pending: string[] = [];
  #last: Line | undefined;

  constructor(file: string, startStep: number) {
    this.#file = file;
    if (!existsSync(file)) return;
    const kept = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => isBefore(line, startStep));
    const temporary = `${file}.partial`;
    whileWriting(file, () => {
      writeFileSync(temporary, kept.map((line) => `${line}\n`).join(''));
      renameSync(temporary, file);
    });
    const last = kept.at(-1);
    if (last !== undefined) this.#last = JSON.parse(last) as Line;
  }

  /** The newest line. */
  get last(): Line | undefined {
    return this.#last;
  }

  add(line: Line): void {
    this.#last = line;
    this.#pending.push(`${JSON.stringify(line)}\n`);
  }

  /** Writes what was added; before every checkpoint, so that no line of a finished step is lost. */
  flush(): void {
    if (this.#pending.length === 0) return;
    whileWriting(this.#file, () => appendFileSync(this.#file, this.#pending.join('')));
    this.#pending = [];
  }
}

/** Whether a line belongs to an earlier step; a line cut short by a crash does not. */
function isBefore(line: string, startStep: number): boolean {
  if (line === '') return false;
  try {
    return (JSON.parse(line) as { step: number }).step < startStep;
  } catch {
    return false;
  }
}
