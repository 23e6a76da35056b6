// Copies what the trainer needs to run, and nothing else, for its image:
//   node scripts/trainer-files.ts MODULES SOURCES
// MODULES gets node_modules with the files that the trainer loads, SOURCES the TypeScript files of trainer-image and of operator that it
// loads. Most of what npm installs are builds for browsers, maps, tests and compilers.
import { cpSync, existsSync, globSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licenceFiles, packageFolder } from './licences.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = realpathSync(join(ROOT, 'node_modules'));
/** Programs that are no part of a stage. */
const EXCEPT = ['trainer-image/pseudo-labels/generate-kernel.ts'];
/** Loaded by a name that only the running program knows: TensorFlow's addon and library, the drawings, libvips. */
const UNTRACED = [
  '@tensorflow/tfjs-node*/{lib/napi-v*/*,deps}',
  '@iconify-json/{noto,noto-v1,fluent-emoji-flat,fxemoji}/icons.json',
  '@img/sharp-*/**/*',
];

/** Every file that the entries load, directly or not, as absolute paths. */
async function traceFiles(entryPoints: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [...entryPoints],
    absWorkingDir: ROOT,
    outdir: 'not-written',
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    metafile: true,
    logLevel: 'error',
    loader: { '.html': 'empty' },
    // What node-pre-gyp would publish an addon with; not installed.
    external: ['aws-sdk', 'mock-aws-s3', 'nock'],
  });
  return Object.keys(metafile.inputs).map((file) => resolve(ROOT, file));
}

/** The package.json files that say how a file of a package is loaded. */
function manifestsOf(file: string, folder: string): string[] {
  const folders: string[] = [];
  for (let place = dirname(file); place.length >= folder.length; place = dirname(place)) folders.push(place);
  return folders.map((place) => join(place, 'package.json')).filter((manifest) => existsSync(manifest));
}

function withManifests(files: readonly string[]): Set<string> {
  const all = new Set(files);
  for (const file of files) {
    const folder = packageFolder(file);
    if (folder === undefined) continue;
    for (const manifest of manifestsOf(file, folder)) all.add(manifest);
    for (const name of licenceFiles(folder)) all.add(join(folder, name));
  }
  return all;
}

const [modules, sources] = process.argv.slice(2);
if (sources === undefined) throw new Error('usage: node scripts/trainer-files.ts MODULES SOURCES');
const addons = globSync('@tensorflow/tfjs-node*/lib/napi-v*/tfjs_binding.node', { cwd: MODULES });
if (addons.length === 0) throw new Error('TensorFlow is not set up; run `node scripts/bootstrap.mjs` first');
const own = globSync('trainer-image/**/*.ts', { cwd: ROOT }).filter((file) => !EXCEPT.includes(file));
const traced = await traceFiles([
  ...own.map((file) => `./${file}`),
  ...new Set(addons.map((file) => file.split('/').slice(0, 2).join('/'))),
]);
const untraced = UNTRACED.flatMap((pattern) => globSync(pattern, { cwd: MODULES })).map((file) => join(MODULES, file));
const files = withManifests([...traced, ...untraced, join(ROOT, 'package.json')]);
for (const file of files) {
  const isModule = packageFolder(file) !== undefined;
  const target = isModule ? join(modules, 'node_modules', relative(MODULES, file)) : join(sources, relative(ROOT, file));
  cpSync(file, target, { recursive: true, verbatimSymlinks: true });
}
console.log(`${files.size} files of the trainer`);
