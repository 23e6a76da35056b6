import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What every report contains, as text. */
export interface PageAssets {
  /** The minified plotting library. */
  readonly charts: string;
  readonly script: string;
  readonly styles: string;
}

/** Reads the files that are put into every report. */
export function readPageAssets(): PageAssets {
  const read = (name: string) => readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
  const library = createRequire(import.meta.url).resolve('echarts/dist/echarts.min.js');
  return {
    charts: withoutClosingTags(readFileSync(library, 'utf8')),
    script: withoutClosingTags(read('page.js')),
    styles: read('page.css'),
  };
}

/** In a script's strings `<\/script` means the same and does not end the element. */
function withoutClosingTags(script: string): string {
  return script.replace(/<\/(?=script)/gi, '<\\/');
}
