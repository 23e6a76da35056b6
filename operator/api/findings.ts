import { BadInputError } from '../../trainer-image/errors.ts';

/** One thing that a person has to mend in an experiment. */
export interface Finding {
  /** Path of the field, e.g. `spec.segment.epochs` or `spec.pseudoLabels.scales[1]`; empty for the file as a whole. */
  readonly field: string;
  /** What is wrong and what is allowed; reads on after the field. */
  readonly message: string;
  /** What the field names, where that is to be mended and not the field. */
  readonly file?: string;
  /** Line in the YAML file, from 1, where it is known. */
  readonly line?: number;
}

export type FieldPath = readonly PropertyKey[];

/** `['spec', 'scales', 1]` → `spec.scales[1]`. */
export function formatPath(path: FieldPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    const step = /^[A-Za-z_][\w-]*$/.test(name) ? name : JSON.stringify(name);
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** `spec.segment.epoch (line 12): unknown key; did you mean epochs?` */
export function formatFinding({ field, message, line, file }: Finding): string {
  const where = [field, line === undefined ? '' : field === '' ? `line ${line}` : `(line ${line})`].filter((part) => part !== '').join(' ');
  return [where, file, message].filter((part) => part !== undefined && part !== '').join(': ');
}

/** An experiment that cannot be used, with everything that is wrong with it. */
export class ExperimentError extends BadInputError {
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[], file?: string) {
    const lines = findings.map(formatFinding);
    super(lines.length === 1 ? lines[0] : lines.map((line) => `- ${line}`).join('\n'), { file, field: findings[0]?.field });
    this.name = 'ExperimentError';
    this.findings = findings;
  }
}
