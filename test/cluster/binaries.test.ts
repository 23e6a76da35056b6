import { chmodSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findProgram, getProgram, MissingProgramError, whyMissing } from './binaries.ts';
import { linuxTest } from './requirements.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';

function writeProgram(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** A machine whose `go` notes its arguments and writes what it should build, after a while, or fails. */
function machine(folder: string, { version = 'go1.26.0', build = 'sleep 0.3; echo built > "$5"; chmod +x "$5"' } = {}) {
  const calls = join(folder, 'calls');
  const go = `if [ "$1" = env ]; then echo ${version}; exit; fi\necho "$@" >> ${calls}\n${build}`;
  writeProgram(join(folder, 'bin', 'go'), go);
  const environment = { PATH: [join(folder, 'bin'), '/usr/bin', '/bin'].join(delimiter), CDSP_CACHE_DIR: join(folder, 'cache') };
  return { environment, calls: () => readFileSync(calls, 'utf8').trimEnd().split('\n') };
}

const inCache = (folder: string) => globSync('cache/test-cluster/*/*', { cwd: folder }).map((path) => path.split('/').at(-1));

linuxTest('a program is built once, with its version, and then found', () =>
  withFolder(async (folder) => {
    const { environment, calls } = machine(folder);
    const lines: string[] = [];
    assert.is(findProgram('kubectl', environment), undefined);
    const built = await getProgram('kubectl', { environment, say: (line) => lines.push(line) });
    assert.is(await getProgram('kubectl', { environment }), built);
    assert.is(findProgram('kubectl', environment), built);
    assert.is(calls().length, 1);
    assert.match(calls()[0], /^build -ldflags .*version\.gitVersion=v1\.\d+\.\d+ .* k8s\.io\/kubernetes\/cmd\/kubectl$/);
    assert.match(lines.join('\n'), /building kubectl.*\n.*kubectl built in \d+ s/);
  }),
);

linuxTest('several that want the same program build it once; the others wait for it', () =>
  withFolder(async (folder) => {
    const { environment, calls } = machine(folder);
    const lines: string[] = [];
    const paths = await Promise.all([1, 2, 3].map(() => getProgram('etcd', { environment, say: (line) => lines.push(line) })));
    assert.is(new Set(paths).size, 1);
    assert.is(calls().length, 1);
    assert.is(lines.filter((line) => line.includes('another process is building etcd')).length, 2);
  }),
);

linuxTest('a build that fails shows what Go said and leaves nothing that could be taken for the program', () =>
  withFolder(async (folder) => {
    const { environment } = machine(folder, { build: 'echo half > "$5"; echo no such package >&2; exit 1' });
    const error: unknown = await getProgram('kwok', { environment }).catch((thrown: unknown) => thrown);
    assert.match(String(error), /go build .* has failed:\nno such package/);
    assert.equal(inCache(folder), ['lock']);
  }),
);

linuxTest('a program in KUBEBUILDER_ASSETS wins, one that is not in it is built', () =>
  withFolder(async (folder) => {
    const { environment } = machine(folder);
    const assets = join(folder, 'assets');
    const etcd = writeProgram(join(assets, 'etcd'), 'true');
    const given = { ...environment, KUBEBUILDER_ASSETS: assets };
    assert.is(await getProgram('etcd', { environment: given }), etcd);
    assert.match(await getProgram('helm', { environment: given }), join(folder, 'cache'));
  }),
);

linuxTest('a program that is named by itself wins over all, and has to be there', () =>
  withFolder((folder) => {
    const { environment } = machine(folder);
    const own = writeProgram(join(folder, 'own'), 'true');
    assert.is(findProgram('kube-apiserver', { ...environment, TEST_ASSET_KUBE_APISERVER: own }), own);
    const wrong = { ...environment, TEST_ASSET_KUBE_APISERVER: '/nowhere' };
    assert.throws(() => findProgram('kube-apiserver', wrong), /\/nowhere is named for kube-apiserver and cannot be run/);
  }),
);

linuxTest('Go that is too old is a reason, and so is the lack of it; both say what to do', () =>
  withFolder(async (folder) => {
    const { environment } = machine(folder, { version: 'go1.19.8' });
    assert.match(whyMissing('helm', environment) ?? '', /^Go is too old \(go1\.19\.8; .*install Go from .* KUBEBUILDER_ASSETS/);
    const error: unknown = await getProgram('helm', { environment }).catch((thrown: unknown) => thrown);
    assert.instance(error, MissingProgramError);
  }),
);

linuxTest('another version or architecture has a place of its own', () =>
  withFolder(async (folder) => {
    const { environment } = machine(folder);
    const [here, other] = [
      await getProgram('etcd', { environment }),
      await getProgram('etcd', { environment: { ...environment, GOARCH: 'arm64' } }),
    ];
    assert.is.not(here, other);
  }),
);

test.run();
