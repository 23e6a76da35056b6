// Makes one file of the operator and of what it uses of its packages, with their licences beside it:
//   node scripts/bundle.ts [FOLDER]     (default: dist)
// A file of its own because whole packages cost memory: client-node's generated classes alone are 93 MB of a running operator.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { describeLicences, packageFolder } from './licences.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Name and version of the package that a file belongs to. */
function identify(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string };
  return `${name}@${version}`;
}

/**
 * Takes of the packages as little as there is to take:
 * - client-node's modules do nothing when they are loaded (but for a polyfill for Node 18), which its package.json could say and does not:
 *   those that nobody uses are left out;
 * - a package that npm has laid out several times in the same version is taken once.
 */
const lean: Plugin = {
  name: 'lean',
  setup(builder) {
    const folders = new Map<string, string>();
    builder.onResolve({ filter: /.*/ }, async ({ path, importer, kind, resolveDir, with: attributes, pluginData }) => {
      if (pluginData === lean.name || kind === 'entry-point') return undefined;
      const found = await builder.resolve(path, { importer, kind, resolveDir, with: attributes, pluginData: lean.name });
      const folder = found.errors.length > 0 ? undefined : packageFolder(found.path);
      // Esbuild itself knows best what to do about what is not there: within `try` it is allowed to be missing.
      if (folder === undefined || found.external) return undefined;
      const identity = identify(folder);
      if (!folders.has(identity)) folders.set(identity, folder);
      const isClient = identity.startsWith('@kubernetes/client-node@');
      return {
        ...found,
        path: join(folders.get(identity) ?? folder, found.path.slice(folder.length)),
        sideEffects: found.sideEffects && !isClient,
      };
    });
  },
};

/** Writes operator.mjs and LICENSES.txt into the folder. @returns the bundle's size in bytes */
async function bundle(folder: string): Promise<number> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, 'operator/main.ts')],
    outfile: join(folder, 'operator.mjs'),
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    metafile: true,
    logLevel: 'warning',
    // The engine keeps the text. Names stay, and lines are short, for the sake of stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'none',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [lean],
  });
  const [{ bytes, inputs }] = Object.values(metafile.outputs);
  const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  writeFileSync(join(folder, 'LICENSES.txt'), describeLicences(used.map(([file]) => resolve(ROOT, file))));
  return bytes;
}

const folder = resolve(process.argv[2] ?? join(ROOT, 'dist'));
const bytes = await bundle(folder);
console.log(`${join(folder, 'operator.mjs')}: ${(bytes / 1e6).toFixed(1)} MB`);
