/** A gauge with a series for each set of labels. */
export interface Family<Label extends string = string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

const escape = (value: string): string =>
  /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;

/**
 * Gauges in Prometheus' text format, written once and thrown away: prom-client would keep every series of ten thousand experiments between
 * two scrapes, and hash each at every one (docs/decisions/monitoring.md).
 */
export class Exposition {
  readonly #lines = new Map<Family, string[]>();

  /** @param families in their order, also those without a series */
  constructor(families: readonly Family[]) {
    for (const family of families) this.#lines.set(family, []);
  }

  /** A value that is not finite is left out: it would be an answer to a question that has none. */
  add<Label extends string>(family: Family<Label>, labels: Readonly<Record<Label, string>>, value: number | null | undefined): void {
    if (value === undefined || value === null || !Number.isFinite(value)) return;
    const pairs = family.labels.map((label) => `${label}="${escape(labels[label])}"`).join(',');
    this.#lines.get(family)?.push(`${family.name}{${pairs}} ${value}`);
  }

  text(): string {
    const blocks = [...this.#lines].map(([{ name, help }, lines]) =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ''].join('\n'),
    );
    return blocks.join('\n');
  }
}
