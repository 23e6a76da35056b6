import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UnavailableError } from './errors.ts';

/** Name of the warning (process.emitWarning) that another package than the preferred one computes. */
export const TENSORFLOW_WARNING = 'TensorFlow';

export interface TensorflowChoice {
  readonly name: string;
  /** Why a package before it was passed over. */
  readonly warning?: string;
}

/** The compiled addon of a package, if both are there. */
function findAddon(name: string, require: NodeJS.Require): string | undefined {
  try {
    return globSync(join(dirname(require.resolve(`${name}/package.json`)), 'lib', 'napi-v*', 'tfjs_binding.node'))[0];
  } catch {
    return undefined;
  }
}

/**
 * The first of the packages whose addon loads, together with the TensorFlow library that it needs. The addon is tried by itself: a package
 * that is imported registers its kernels before it finds out that its addon is of no use.
 * @param names the preferred one first
 * @param from module from whose place the packages are looked for
 * @throws UnavailableError where no package is set up or none loads
 */
export function chooseTensorflow(names: readonly string[], from: string): TensorflowChoice {
  const require = createRequire(from);
  const refusals: string[] = [];
  for (const name of names) {
    const addon = findAddon(name, require);
    if (addon === undefined) continue;
    try {
      require(addon);
    } catch (error) {
      refusals.push(`${name} cannot be loaded (${(error as Error).message.split('\n')[0]})`);
      continue;
    }
    return refusals.length === 0 ? { name } : { name, warning: `${refusals.join('; ')}: ${name} stands in` };
  }
  const remedy = 'run `node scripts/bootstrap.mjs` and look at what it says';
  throw new UnavailableError(refusals.length === 0 ? `TensorFlow is not set up; ${remedy}` : `${refusals.join('; ')}; ${remedy}`);
}
