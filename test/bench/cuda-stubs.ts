import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * PyPI's PyTorch for Linux is linked against CUDA libraries of over 2 GB. A benchmark on the CPU never calls them, but the
 * library does not load without them. These stand-ins (0.3 MB, made with the C compiler that set-up needs anyway) have the
 * symbols that PyTorch links to; each function returns 100, "no CUDA device", so PyTorch works as on any machine without a GPU.
 */
export function writeCudaStubs(libraries: string): void {
  const { needed, symbols } = linkedCuda(libraries);
  const present = new Set(readdirSync(libraries));
  for (const library of needed) {
    if (present.has(library)) continue;
    const version = library.startsWith('libnvshmem') ? 'NVSHMEM' : library;
    const versioned = symbols.get(version);
    buildStub(join(libraries, library), library, versioned ?? symbols.get('') ?? new Set(), versioned && version);
  }
}

/** The CUDA libraries that the shared objects of a folder need, and the functions they take from them by symbol version ('' = none). */
function linkedCuda(folder: string): { needed: Set<string>; symbols: Map<string, Set<string>> } {
  const needed = new Set<string>();
  const symbols = new Map<string, Set<string>>();
  for (const name of readdirSync(folder).filter((entry) => /^lib(torch|c10|caffe2).*\.so$/.test(entry))) {
    const file = join(folder, name);
    for (const [, library] of output('readelf', '-d', file).matchAll(/NEEDED.*\[(lib(?:cu|nv|nccl)[^\]]*)\]/g)) needed.add(library);
    for (const line of output('nm', '-D', '--undefined-only', file).split('\n')) {
      const [symbol, version = ''] = (line.trim().split(/\s+/).at(-1) ?? '').split('@');
      const isCuda = version === '' ? /^(cu|nv|nccl)\w*$/.test(symbol) : /^(lib(cu|nv)|NVSHMEM)/.test(version);
      if (isCuda) symbols.set(version, (symbols.get(version) ?? new Set()).add(symbol));
    }
  }
  return { needed, symbols };
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

function buildStub(file: string, name: string, functions: ReadonlySet<string>, version: string | undefined): void {
  const work = mkdtempSync(join(tmpdir(), 'cdsp-stub-'));
  try {
    // PyTorch registers its device code when it loads; that has to succeed.
    const source = [...functions].map((symbol) => `long ${symbol}(void) { return ${symbol.startsWith('__cuda') ? 0 : 100}; }`);
    writeFileSync(join(work, 'stub.c'), source.join('\n') + '\n');
    const args = ['-shared', '-fPIC', '-nostdlib', '-w', `-Wl,-soname,${name}`, '-o', file, join(work, 'stub.c')];
    if (version !== undefined) {
      writeFileSync(join(work, 'stub.map'), `${version} { global: *; };\n`);
      args.push(`-Wl,--version-script=${join(work, 'stub.map')}`);
    }
    execFileSync(process.env['CC'] ?? 'cc', args);
  } finally {
    rmSync(work, { recursive: true });
  }
}
