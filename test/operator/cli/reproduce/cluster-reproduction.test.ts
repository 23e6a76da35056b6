import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExperimentCrd } from '../../../../operator/api/crd.ts';
import { parseExperiment, validateExperiment } from '../../../../operator/api/parse.ts';
import type { SchemaNode } from '../../../../operator/api/schema-tree.ts';
import type { ExperimentStatus } from '../../../../operator/api/status.ts';
import { buildClusterReproduction } from '../../../../operator/cli/reproduce/cluster-reproduction.ts';
import { renderReproduction } from '../../../../operator/cli/reproduce/reproduction.ts';
import type { ReproductionOptions } from '../../../../operator/cli/reproduce/reproduction.ts';
import { UsageError } from '../../../../operator/cli/usage-error.ts';
import { referencedIdentities } from '../../../../operator/controller/references.ts';
import { planExperiment } from '../../../../operator/plan/plan.ts';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import { specValues } from '../../../api/random-specs.ts';
import { DIGEST } from '../../api/manifests.ts';
import { finished, IMAGE, SUCCEEDED } from './finished.ts';

const repeat = (object: unknown, options?: ReproductionOptions) => {
  const yaml = renderReproduction(buildClusterReproduction(object, 'lab/cats', options));
  return { yaml, experiment: parseExperiment(yaml, 'repro.yaml') };
};
const FOLDER = { dataset: { folder: { path: 'voc', claimName: 'data' } } };

test('the image, the data and the seed that ran are pinned, and every default is written out', () => {
  const { yaml, experiment } = repeat(finished(FOLDER));
  assert.equal(experiment.metadata, { name: 'cats-repro', namespace: 'lab' });
  assert.equal([experiment.spec.image, experiment.spec.dataset.digest, experiment.spec.seed], [IMAGE, DIGEST, 7]);
  assert.match(yaml, /\n {2}evaluation:\n {4}scales:\n {6}- 1\n {4}flips: false\n/);
});

test('the header says what is repeated, with the keys and the results to compare with, and no line leaves the comment', () => {
  const { yaml } = repeat(finished(FOLDER));
  const header = yaml.slice(0, yaml.indexOf('apiVersion')).trimEnd().split('\n');
  assert.is(header[0], '# Repeats the CDSPExperiment lab/cats (uid uid-1, generation 3, succeeded 2026-03-01T10:00:00Z).');
  assert.ok(header.every((line) => line.startsWith('#')));
  for (const line of [
    `#   classify ${'a'.repeat(64)}`,
    '#   mIoU 0.6123',
    '#   pixel accuracy 0.9000',
    '#   mIoU of the pseudo-labels 0.5500',
    '#   IoU 0.9100 background',
    '#   IoU 0.3200 cat # not: a comment',
  ]) {
    assert.ok(header.includes(line), line);
  }
});

test('but for what is pinned, the same is planned', () => {
  const root = buildExperimentCrd().spec.versions[0].schema.openAPIV3Schema as SchemaNode;
  const planOf = (experiment: ReturnType<typeof validateExperiment>) => {
    const { dataset } = referencedIdentities(experiment.spec);
    // Files are known by where they lie: the same place has another name once the run's own claim is named.
    const identities = { dataset, weights: 'the same', externalLabels: 'the same' };
    const { stages } = planExperiment(experiment, { trainerVersion: IMAGE, identities });
    return stages.map(({ name, inputs, dependsOn }) => ({ name, dependsOn, inputs: { ...inputs, upstream: undefined } }));
  };
  fc.assert(
    fc.property(specValues(root.properties?.spec ?? {}), fc.boolean(), (drawn, sameStorage) => {
      const spec = drawn as { seed?: number; dataset: object };
      const object = finished(spec, { provenance: { ...SUCCEEDED.provenance, seed: spec.seed ?? 0 } });
      const original = validateExperiment({ ...object, spec: { ...spec, seed: spec.seed ?? 0 } });
      const pinned = { ...original, spec: { ...original.spec, dataset: { ...original.spec.dataset, digest: DIGEST } } };
      assert.equal(planOf(repeat(object, { sameStorage }).experiment), planOf(pinned));
    }),
    { numRuns: 30 },
  );
});

test('artifacts go to a new claim; what lay on the run’s own claim is read from there', () => {
  const spec = {
    dataset: { folder: { path: 'voc' } },
    model: { weights: 'w.pth' },
    pseudoLabels: { source: 'External', external: { path: 'labels', image: 'labels:1' } },
    storage: { claimName: 'results', accessModes: ['ReadWriteMany'] },
  };
  const { spec: repeated } = repeat(finished(spec, { storage: { claimName: 'results' } })).experiment;
  assert.equal(repeated.storage, { size: '20Gi', accessModes: ['ReadWriteMany'], retention: 'Retain' });
  assert.is(repeated.dataset.folder?.claimName, 'results');
  assert.equal(repeated.model.weightsFrom, { claimName: 'results' });
  assert.equal(repeated.pseudoLabels.external, { path: 'labels', image: 'labels:1' });
});

test('with the same storage artifacts stay on the run’s claim, the operator’s own included, and the header says so', () => {
  const { yaml, experiment } = repeat(finished({ dataset: { folder: { path: 'voc' } } }), { sameStorage: true });
  assert.is(experiment.spec.storage.claimName, 'cdsp-cats');
  assert.is(experiment.spec.dataset.folder?.claimName, undefined);
  assert.match(yaml, '# It shares the claim of that run');
});

test('with the same storage the header says which stages are not run again: none where the run had a tag or no digest of the data', () => {
  const data = { folder: { path: 'voc', claimName: 'data' }, digest: DIGEST };
  const headerAfter = (dataset: object, trainerImage: string) => {
    const run = validateExperiment(finished({ dataset }));
    const { stages } = planExperiment(run, { trainerVersion: trainerImage, identities: referencedIdentities(run.spec) });
    const provenance = { ...SUCCEEDED.provenance, trainerImage };
    const told = { provenance, stages: stages.map(({ name, key }) => ({ name, key, state: 'Complete' as const })) };
    return repeat(finished({ dataset }, told), { sameStorage: true }).yaml;
  };
  assert.match(
    headerAfter(data, IMAGE),
    '# It shares the claim of that run; stages whose keys are the same are not run again: classify, pseudo-label,',
  );
  const all = '# It shares the claim of that run, and runs every stage again';
  assert.match(headerAfter(data, 'registry.example.org/cdsp/trainer:1'), all);
  assert.match(headerAfter({ ...data, digest: undefined }, IMAGE), all);
});

test('the header says which operators take the image, where the run has not named it so itself', () => {
  const hint = '# An operator takes this image where';
  assert.match(repeat(finished(FOLDER)).yaml, hint);
  const provenance = { ...SUCCEEDED.provenance, trainerImage: IMAGE };
  assert.not.match(repeat(finished(FOLDER, { provenance })).yaml, hint);
});

test('generated scenes need no digest: their settings and the image say what they are', () => {
  const { experiment } = repeat(finished({}, { provenance: { image: IMAGE, seed: 7 } }));
  assert.is(experiment.spec.dataset.digest, undefined);
});

test('a digest that the experiment gave itself counts where the run tells none', () => {
  const spec = { dataset: { ...FOLDER.dataset, digest: DIGEST } };
  assert.is(repeat(finished(spec, { provenance: { image: IMAGE } })).experiment.spec.dataset.digest, DIGEST);
});

test('the name fits what a name may be; another one can be given', () => {
  const long = finished();
  const named = { ...long, metadata: { ...long.metadata, name: `${'a'.repeat(45)}-bcdefg` } };
  assert.is(repeat(named).experiment.metadata.name, `${'a'.repeat(45)}-repro`);
  assert.is(repeat(named, { name: 'again' }).experiment.metadata.name, 'again');
  assert.throws(
    () => repeat(named, { name: 'Not A Name' }),
    (error: unknown) => error instanceof UsageError && /^--name: must be lower-case .*, is "Not A Name"$/.test(error.message),
  );
});

test('where every stage was reused, the image that the stages name counts if it has a digest', () => {
  const provenance = { trainerImage: IMAGE, datasetDigest: DIGEST };
  assert.is(repeat(finished({}, { provenance })).experiment.spec.image, IMAGE);
});

test('a run that was suspended later is repeated all the same, and starts', () => {
  assert.is(repeat(finished({ suspend: true })).experiment.spec.suspend, false);
});

const condition = (status: 'True' | 'False' | 'Unknown', reason: string): Partial<ExperimentStatus> => ({
  conditions: [{ type: 'Succeeded', status, reason, message: 'words', lastTransitionTime: '2026-03-01T10:00:00Z' }],
});
const refusals: [why: string, object: unknown, field: string, message: RegExp][] = [
  ['nothing has run', { ...finished(), status: undefined }, 'status', /^is missing: nothing has run/],
  ['no operator has seen it', { ...finished(), status: { observedGeneration: -1 } }, 'status', /^is empty: no operator has looked/],
  ['it runs', finished({}, condition('Unknown', 'Running')), 'status.conditions', /^the run is not finished: Running: words$/],
  [
    'it has failed',
    finished({}, condition('False', 'BadInput')),
    'status.conditions',
    /^the run has failed: BadInput: words; there is nothing/,
  ],
  ['it says nothing of itself', finished({}, { conditions: undefined }), 'status.conditions', /^the run is not finished$/],
  [
    'the spec was edited since',
    finished({}, { observedGeneration: 2 }),
    'status.observedGeneration',
    /^is 2, but the spec is of generation 3: it was edited and has not run since/,
  ],
  ['no image is told', finished({}, { provenance: {} }), 'status.provenance.image', /^is missing/],
  [
    'every stage was reused',
    finished({}, { provenance: { trainerImage: 'trainer:1' } }),
    'status.provenance.image',
    /every stage was reused/,
  ],
  ['nothing is told', finished({}, { provenance: undefined }), 'status.provenance.image', /^is missing/],
  [
    'the image has a tag only',
    finished({}, { provenance: { image: 'trainer:1' } }),
    'status.provenance.image',
    /^"trainer:1" has no digest/,
  ],
  [
    'the image was loaded, not pulled',
    finished({}, { provenance: { image: DIGEST } }),
    'status.provenance.image',
    /loaded onto the node.*; push it to one, name it there in config\.trainerImage/,
  ],
  ['no digest of the data is told', finished(FOLDER, { provenance: { image: IMAGE } }), 'status.provenance.datasetDigest', /^is missing/],
  [
    'the digest is none',
    finished(FOLDER, { provenance: { image: IMAGE, datasetDigest: 'path:voc' } }),
    'status.provenance.datasetDigest',
    /^"path:voc" is no SHA-256 digest$/,
  ],
  [
    'nothing says where the data lie',
    finished({ dataset: { folder: { path: 'voc' } } }, { storage: undefined }),
    'status.storage.claimName',
    /^is missing/,
  ],
  ['the status is of another kind', { ...finished(), status: { phase: 3 } }, 'status.phase', /^is not as this version of cdsp knows it/],
];
for (const [why, object, field, message] of refusals) {
  test(`refused, with the field: ${why}`, () =>
    assert.throws(
      () => repeat(object),
      (error: unknown) =>
        error instanceof BadInputError && error.file === 'lab/cats' && error.field === field && message.test(error.message),
    ));
}

test('an experiment of a newer version is refused by the key that is not known', () =>
  assert.throws(() => repeat(finished({ mixup: 1 })), /spec\.mixup: unknown key/));

test('the prefix that some container runtimes put before an image is left out', () => {
  const provenance = { image: `docker-pullable://${IMAGE}`, datasetDigest: DIGEST };
  assert.is(repeat(finished({}, { provenance })).experiment.spec.image, IMAGE);
});

test.run();
