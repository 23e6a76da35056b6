import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../../../operator/api/parse.ts';
import { withFolder } from '../../local/temporary-folder.ts';
import { runCli } from '../cli-process.ts';
import { TINY, withExperiment, writeFiles, writeVocFolder } from '../fixtures.ts';
import { finished, IMAGE } from '../reproduce/finished.ts';

test('a run on this machine is repeated: the printed experiment runs, into a folder of its own, with the same keys', () =>
  withExperiment(async (folder) => {
    assert.is((await runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages: {} })).code, 0);
    const { code, stdout, stderr } = await runCli(['reproduce', 'tiny.yaml'], { cwd: folder });
    assert.equal([code, stderr], [0, '']);
    assert.match(stdout, /^# Repeats the run of the CDSPExperiment tiny whose artifacts are in .*\/runs\.\n# Trainer: version fake;/);
    writeFiles(folder, { 'again.yaml': stdout });
    assert.is((await runCli(['run', 'again.yaml', '--no-report'], { cwd: folder, stages: {} })).code, 0);
    const keysIn = (storage: string) => globSync('stages/*/*', { cwd: join(folder, storage) }).sort();
    assert.equal(keysIn('runs-tiny-repro'), keysIn('runs'));
    assert.is(keysIn('runs').length, 4);
  }));

test('a run on a folder of images: its data get a digest; when they change, the run cannot be repeated', () =>
  withFolder(async (folder) => {
    await writeVocFolder(join(folder, 'voc'));
    const spec = 'dataset: {folder: {path: voc}, classes: [background, cat, dog]}';
    writeFiles(folder, { 'voc.yaml': TINY.replace(/dataset:\n.*/, spec) });
    assert.is((await runCli(['run', 'voc.yaml', '--no-report', '--storage', 'kept'], { cwd: folder, stages: {} })).code, 0);
    const { stdout, stderr } = await runCli(['reproduce', 'voc.yaml', '--storage', 'kept', '--name', 'voc-again'], { cwd: folder });
    assert.is(stderr, '');
    const { metadata, spec: repeated } = parseExperiment(stdout, 'stdout');
    assert.is(metadata.name, 'voc-again');
    assert.match(repeated.dataset.digest ?? '', /^sha256:/);
    rmSync(join(folder, 'voc/Scribbles/image-0.png'));
    const changed = await runCli(['reproduce', 'voc.yaml', '--storage', 'kept'], { cwd: folder });
    assert.is(changed.code, 65);
    assert.match(changed.stderr, 'spec.dataset: the data are not those of the run any more');
  }));

test('a file that kubectl gave, or its text on standard input, is repeated without a cluster', () =>
  withFolder(async (folder) => {
    writeFiles(folder, { 'status.yaml': dump(finished()) });
    const byOption = await runCli(['reproduce', '--file', 'status.yaml'], { cwd: folder });
    assert.equal([byOption.code, byOption.stderr], [0, '']);
    assert.is(parseExperiment(byOption.stdout, 'stdout').spec.image, IMAGE);
    const byName = await runCli(['reproduce', 'status.yaml'], { cwd: folder });
    assert.is(byName.stdout, byOption.stdout);
    const command = `cat status.yaml | '${process.execPath}' '${join(process.cwd(), 'operator/cli/main.ts')}' reproduce --file - > piped.yaml`;
    execFileSync('sh', ['-c', command], { cwd: folder });
    assert.is(readFileSync(join(folder, 'piped.yaml'), 'utf8'), byOption.stdout);
  }));

test('a local run that is not there, or not finished, is told with what to do', () =>
  withExperiment(async (folder) => {
    const nothing = await runCli(['reproduce', 'tiny.yaml'], { cwd: folder });
    assert.equal([nothing.code, nothing.stdout], [65, '']);
    assert.match(
      nothing.stderr,
      /^error: .*\/runs: tiny has not run here; run it first, or name the folder of its artifacts with --storage\n$/,
    );
    const stages = { segment: [{ exitCode: 65 }] };
    assert.is((await runCli(['run', 'tiny.yaml', '--no-report'], { cwd: folder, stages })).code, 65);
    const half = await runCli(['reproduce', 'tiny.yaml'], { cwd: folder });
    assert.is(half.code, 65);
    assert.match(half.stderr, 'the run of tiny is not finished: segment is not complete; `cdsp run` goes on with it');
  }));

const mistakes: [why: string, args: string[], message: RegExp][] = [
  ['nothing to repeat', [], /NAME: name an experiment of the cluster/],
  ['a name and a file', ['cats', '--file', 'x.yaml'], /--file: goes without a name/],
  ['a context for a file', ['--file', 'x.yaml', '--context', 'c'], /--context: goes with the name of an experiment in a cluster/],
  ['a namespace for a local run', ['x.yaml', '--namespace', 'n'], /--namespace: goes with the name/],
  ['a folder of artifacts for a cluster', ['cats', '--storage', 'runs'], /--storage: goes with the YAML of a local run/],
];
for (const [why, args, message] of mistakes) {
  test(`a bad command line is explained: ${why}`, async () => {
    const { code, stderr } = await runCli(['reproduce', ...args]);
    assert.is(code, 64);
    assert.match(stderr, message);
  });
}

test('without a kubeconfig the message says where one was looked for', () =>
  withFolder(async (folder) => {
    const environment = { HOME: folder, KUBECONFIG: '', KUBERNETES_SERVICE_HOST: undefined };
    const { code, stderr } = await runCli(['reproduce', 'cats'], { environment });
    assert.is(code, 65);
    assert.match(stderr, `${folder}/.kube/config: no kubeconfig there; name one with --kubeconfig or KUBECONFIG`);
  }));

test('a kubeconfig that is none, or has no such context, is named', () =>
  withFolder(async (folder) => {
    const contexts = [{ name: 'lab', context: { cluster: 'c', user: 'u' } }];
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
      contexts,
      users: [{ name: 'u', user: {} }],
    };
    writeFiles(folder, { broken: '{', config: JSON.stringify({ ...config, 'current-context': 'lab' }) });
    const inFolder = (name: string) => ['--kubeconfig', join(folder, name)];
    const broken = await runCli(['reproduce', 'cats', ...inFolder('broken')]);
    assert.match(broken.stderr, `${folder}/broken: is no kubeconfig that can be read`);
    const missing = await runCli(['reproduce', 'cats', ...inFolder('none')]);
    assert.match(missing.stderr, `${folder}/none: is no kubeconfig that can be read`);
    const other = await runCli(['reproduce', 'cats', ...inFolder('config'), '--context', 'prod']);
    assert.is(other.code, 64);
    assert.match(other.stderr, '--context: the kubeconfig has no prod; it has lab');
    const silent = await runCli(['reproduce', 'cats', ...inFolder('config')]);
    assert.is(silent.code, 65);
    assert.match(silent.stderr, 'default/cats: the cluster does not answer: connect ECONNREFUSED 127.0.0.1:1');
  }));

test.run();
