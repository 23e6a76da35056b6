import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXIT } from '../../../operator/api/stage-contract.ts';
import { parseExperiment } from '../../../operator/api/parse.ts';
import { EXIT_CODES, exitCodeDocument, exitCodeHelp } from '../../../operator/cli/exit-codes.ts';
import { ANNOTATION_NAMES } from '../../../operator/cli/init/annotation-folders.ts';
import { IMAGE_NAMES } from '../../../operator/cli/init/inspect-folder.ts';
import { buildProgram } from '../../../operator/cli/program.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const example = (name: string) => parseExperiment(read(`examples/${name}.yaml`), `${name}.yaml`);

test('the exit codes of the command line are those of the stage contract', () => assert.equal(EXIT_CODES, EXIT));

test('docs/exit-codes.md holds every code', () => assert.is(read('docs/exit-codes.md'), exitCodeDocument(), 'npm run generate'));

test('the help holds every code', () => {
  for (const code of Object.values(EXIT)) assert.match(exitCodeHelp(), new RegExp(`^ {2}${code} `, 'm'));
});

test('docs/cli.md names every command and option', () => {
  const guide = read('docs/cli.md');
  for (const command of buildProgram({ setExitCode: () => {} }).commands) {
    assert.match(guide, `cdsp ${command.name()}`);
    for (const { long } of command.options) assert.match(guide, long ?? '', `${command.name()} ${long}`);
  }
});

test('docs/data.md names every folder name that init looks for', () => {
  const guide = read('docs/data.md');
  for (const name of [IMAGE_NAMES, ...Object.values(ANNOTATION_NAMES)].flat()) assert.match(guide, new RegExp(`\\b${name}\\b`), name);
});

test('every document that a source names is there', () => {
  const root = new URL('../../../', import.meta.url);
  const sources = globSync('{operator,trainer-image,scripts,test,helm,examples}/**/*.{ts,mjs,js,yaml,tpl,txt}', { cwd: root });
  const missing = sources.flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w/-]+\.md\b/g)]
      .filter(([name]) => !existsSync(new URL(name, root)))
      .map(([name]) => `${file}: ${name}`),
  );
  assert.equal(missing, []);
});

test('CONTRIBUTING.md names every benchmark', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const guide = read('CONTRIBUTING.md');
  for (const name of Object.keys(scripts).filter((script) => script.startsWith('bench:'))) assert.match(guide, `npm run ${name}`);
});

test('the licence is the one that package.json names, word for word, and NOTICE names what comes from elsewhere', () => {
  // apache.org/licenses/LICENSE-2.0.txt
  const sha256 = 'cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30';
  assert.is(createHash('sha256').update(read('LICENSE')).digest('hex'), sha256);
  const { license, dependencies } = JSON.parse(read('package.json')) as { license: string; dependencies: Record<string, string> };
  assert.is(license, 'Apache-2.0');
  const [, weights] = /WEIGHTS_PACKAGE = '(.*)'/.exec(read('scripts/bootstrap.mjs')) ?? [];
  const drawings = Object.keys(dependencies).filter((name) => name.startsWith('@iconify-json/'));
  for (const name of [weights, ...drawings]) assert.match(read('NOTICE'), `package ${name})`);
});

test('every example is valid, commented and named like its file', () => {
  const files = globSync('examples/*.yaml', { cwd: new URL('../../../', import.meta.url) });
  assert.ok(files.length >= 3);
  for (const file of files) {
    const name = file.slice('examples/'.length, -'.yaml'.length);
    assert.is(example(name).metadata.name, name);
    assert.ok(
      read(file)
        .split('\n')
        .filter((line) => line.trimStart().startsWith('#')).length >= 10,
      `${file} has comments`,
    );
  }
});

test('the quick start needs neither data nor a GPU', () => {
  const { spec } = example('quickstart');
  assert.is.not(spec.dataset.generator, undefined);
  assert.equal([spec.model.backbone, spec.model.weights], ['efficientnet-lite0', undefined]);
});

test('the published setting is the published one', () => {
  const { model, segment, losses, pseudoLabels, evaluation } = example('published-voc').spec;
  assert.equal([model.backbone, model.segmentor, model.outputStride], ['resnet50', 'deeplabv2', 8]);
  const { epochs, batchSize, learningRate, warmupEpochs, momentum, weightDecay, augmentation } = segment;
  assert.equal(
    { epochs, batchSize, learningRate, warmupEpochs, momentum, weightDecay },
    { epochs: 50, batchSize: 16, learningRate: 1e-3, warmupEpochs: 10, momentum: 0.9, weightDecay: 5e-4 },
  );
  assert.equal(augmentation, { scaleMin: 0.5, scaleMax: 2, flip: true });
  assert.equal([losses.scribbleDistance.lambda, losses.classDistance.lambda, losses.pseudoLabel.labelSmoothing], [1, 6, 0.1]);
  for (const [name, { enabled, weight, ramp }] of Object.entries(losses)) {
    assert.equal({ enabled, weight, ramp }, { enabled: true, weight: 1, ramp: { start: 0, end: 0 } }, name);
  }
  assert.equal([pseudoLabels.refinement.method, pseudoLabels.paintScribbles], ['None', false]);
  assert.type(pseudoLabels.backgroundThreshold, 'number');
  assert.equal([evaluation.scales, evaluation.flips], [[1], false]);
});

test.run();
