import { existsSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of this package, wherever it is installed. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** How a person at this prompt calls the program: `cdsp` where it is in the PATH, else the path of bin/cdsp. */
export function commandName(workingFolder: string, environment: NodeJS.ProcessEnv): string {
  // npm puts node_modules/.bin in front of the PATH of its scripts; the person's own PATH has no such folder.
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '' && !folder.includes('node_modules'));
  return folders.some((folder) => existsSync(join(folder, 'cdsp'))) ? 'cdsp' : shortPath(workingFolder, packageFile('bin/cdsp'));
}

/** A path as a person at this prompt would write it: relative if it lies below the working folder, else absolute. */
export function shortPath(workingFolder: string, path: string): string {
  const below = relative(workingFolder, path);
  return below === '' ? '.' : below.startsWith('..') ? path : below;
}

/** A path that a shell takes as one word. */
export function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
