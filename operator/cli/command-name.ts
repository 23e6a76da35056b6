import { existsSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a person at this prompt calls the program: `cdsp` where it is in the PATH, else the path of bin/cdsp. */
export function commandName(workingFolder: string, environment: NodeJS.ProcessEnv): string {
  const isInstalled = (environment.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, 'cdsp')));
  if (isInstalled && !environment.npm_lifecycle_event) return 'cdsp';
  const path = relative(workingFolder, fileURLToPath(new URL('../../bin/cdsp', import.meta.url)));
  return path.startsWith('.') || path.includes('/') ? path : `./${path}`;
}
