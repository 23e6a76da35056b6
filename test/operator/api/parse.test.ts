import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentError } from '../../../operator/api/findings.ts';
import type { Finding } from '../../../operator/api/findings.ts';
import { parseExperiment, validateExperiment } from '../../../operator/api/parse.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { AGAINST_RULES, manifest, VALID } from './manifests.ts';

const HEAD = 'apiVersion: cdsp.dev/v1alpha1\nkind: CDSPExperiment\nmetadata:\n  name: test\n';

function findingsOf(run: () => unknown): readonly Finding[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ExperimentError) return error.findings;
    throw error;
  }
  return [];
}
const inYaml = (text: string) => findingsOf(() => parseExperiment(text, 'experiment.yaml'));

for (const [why, value] of VALID)
  test(`accepted: ${why}`, () =>
    assert.equal(
      findingsOf(() => validateExperiment(value)),
      [],
    ));

for (const [why, value, field, message] of AGAINST_RULES) {
  test(`refused: ${why}`, () => {
    const findings = findingsOf(() => validateExperiment(value));
    assert.equal(
      findings.map((finding) => finding.field),
      [field],
    );
    assert.match(findings[0].message, message);
  });
}

const fields: [why: string, spec: Record<string, unknown>, field: string, message: string][] = [
  ['an unknown key deep inside', { segment: { epoch: 3 } }, 'spec.segment.epoch', 'unknown key; did you mean epochs?'],
  ['an unknown key at the top', { segmnt: {} }, 'spec.segmnt', 'unknown key; did you mean segment?'],
  [
    'an unknown key in a list',
    { placement: { default: { tolerations: [{ operator: 'Exists', kee: 'x' }] } } },
    'spec.placement.default.tolerations[0].kee',
    'unknown key; did you mean key?',
  ],
  ['a key in the wrong place', { validateEvery: 3 }, 'spec.validateEvery', 'unknown key; did you mean spec.segment.validateEvery?'],
  ['a key like nothing else', { scribbles: { blur: 1 } }, 'spec.scribbles.blur', 'unknown key; known here: shrink, drop'],
  ['a number below its limit', { segment: { epochs: 0, warmupEpochs: 0 } }, 'spec.segment.epochs', 'must be at least 1, is 0'],
  ['a number at an open limit', { classify: { learningRate: 0 } }, 'spec.classify.learningRate', 'must be greater than 0, is 0'],
  ['a number above its limit', { scribbles: { drop: 2 } }, 'spec.scribbles.drop', 'must be at most 1, is 2'],
  ['a fraction', { retries: 1.5 }, 'spec.retries', 'must be a whole number, is 1.5'],
  ['a text for a number', { seed: 'x' }, 'spec.seed', 'must be a number, is "x"'],
  ['a text for a switch', { suspend: 'yes' }, 'spec.suspend', 'must be true or false, is "yes"'],
  ['a list for a mapping', { losses: [] }, 'spec.losses', 'must be a mapping of keys to values, is a list of 0'],
  ['an empty list', { evaluation: { scales: [] } }, 'spec.evaluation.scales', 'must have at least 1 entry, has 0'],
  ['an empty text', { storage: { path: '' } }, 'spec.storage.path', 'must not be empty'],
  ['an infinite number', { losses: { lorm: { weight: Infinity } } }, 'spec.losses.lorm.weight', 'must be a number, is Infinity'],
  [
    'a choice that does not exist',
    { model: { segmentor: 'deeplab3plus' } },
    'spec.model.segmentor',
    'must be one of deeplabv2, deeplabv3plus, is "deeplab3plus"; did you mean deeplabv3plus?',
  ],
];
for (const [why, spec, field, message] of fields) {
  test(`the finding names the field and what is allowed: ${why}`, () => {
    assert.equal(
      findingsOf(() => validateExperiment(manifest(spec))),
      [{ field, message, line: undefined }],
    );
  });
}

test('all findings come at once, in the order of the file, each with its line', () => {
  const findings = inYaml(`${HEAD}spec:
  model: {backbone: resnet5}
  dataset:
    generator:
      sizes: 3
  segment:
    augmentation:
      scaleMin: 3
    cropsize: 10
`);
  assert.equal(
    findings.map(({ field, line }) => [field, line]),
    [
      ['spec.model.backbone', 6],
      ['spec.dataset.generator.sizes', 9],
      ['spec.segment.augmentation', 11],
      ['spec.segment.cropsize', 13],
    ],
  );
});

test('the error is bad input that names the file', () => {
  assert.throws(
    () => parseExperiment(`${HEAD}spec: {}`, 'experiment.yaml'),
    (error: unknown) =>
      error instanceof BadInputError &&
      error.file === 'experiment.yaml' &&
      error.message === 'spec.dataset (line 5): is missing; must be a mapping of keys to values',
  );
});

test('a missing field is reported at the section that should hold it', () => {
  assert.equal(inYaml(`${HEAD}spec:\n  dataset:\n    folder: {images: a}\n`), [
    { field: 'spec.dataset.folder.path', message: 'is missing; must be a text', line: 7 },
  ]);
});

const broken: [why: string, text: string, message: RegExp, line: number | undefined][] = [
  ['an indentation error', 'a: [1\nb: 2', /not valid YAML: deficient indentation/, 2],
  ['a key given twice', `${HEAD}kind: CDSPExperiment\n`, /duplicated mapping key/, 5],
  ['an empty file', '', /is empty; must hold a CDSPExperiment/, undefined],
  ['comments only', '# nothing\n', /is empty/, undefined],
  ['two documents', `${HEAD}---\n${HEAD}`, /several YAML documents/, undefined],
  ['an unknown tag', 'a: !!js/function x', /unknown scalar tag/, 1],
  ['a list', '- a', /must be a mapping/, undefined],
  ['an alias within what it stands for', 'a: &x {b: [*x]}', /an alias \(\*\) is part of what it repeats/, undefined],
  ['a lone word', 'experiment', /must be a mapping/, undefined],
];
for (const [why, text, message, line] of broken) {
  test(`broken YAML is explained: ${why}`, () => {
    const findings = inYaml(text);
    assert.is(findings.length, 1);
    assert.match(findings[0].message, message);
    assert.is(findings[0].line, line);
  });
}

test('what a cluster adds to an object is let through', () => {
  const metadata = { name: 'test', uid: '1', resourceVersion: '2', managedFields: [], annotations: { a: 'b' } };
  const value = { ...manifest({}), metadata, status: { phase: 'Running' } };
  assert.is(validateExperiment(value).metadata.name, 'test');
});

test('keys that every object inherits are unknown keys all the same', () => {
  assert.equal(
    inYaml(`${HEAD}spec:\n  dataset: {generator: {}}\n  constructor: 1\n  toString: 2\n`).map(({ field }) => field),
    ['spec.constructor', 'spec.toString'],
  );
});

test.run();
