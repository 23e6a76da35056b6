import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly homepage?: string;
}

/** The folder of the npm package that a file belongs to, or undefined for the project's own files. */
export function packageFolder(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** Names of the files in a package that say under which terms it is passed on. */
export function licenceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice|third.?party)/i.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

function describePackage(folder: string): string {
  const { name, version, license, homepage } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  if (license === undefined) throw new Error(`${folder}/package.json names no licence: look whether it may be passed on`);
  const texts = licenceFiles(folder).map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${name} ${version} (${license})${homepage === undefined ? '' : `\n${homepage}`}`, ...texts].join('\n\n');
}

/**
 * The terms of all packages that the files are part of, one after the other by name.
 * @throws Error for a package without a licence
 */
export function describeLicences(files: readonly string[]): string {
  const folders = new Set(files.map((file) => packageFolder(file)).filter((folder) => folder !== undefined));
  // A folder within a package may have a package.json of its own that says no more than the module system; that is none.
  const packages = [...folders].filter((folder) => existsSync(join(folder, 'package.json'))).sort();
  return `${packages.map(describePackage).join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
