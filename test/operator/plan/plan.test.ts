import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec, STAGES } from '../../../operator/api/experiment.ts';
import type { StageName } from '../../../operator/api/experiment.ts';
import { schemaTree } from '../../../operator/api/schema-tree.ts';
import type { SchemaNode } from '../../../operator/api/schema-tree.ts';
import type { Json } from '../../../operator/plan/canonical-json.ts';
import { allUpstream, planExperiment } from '../../../operator/plan/plan.ts';
import type { Plan } from '../../../operator/plan/plan.ts';
import { at, experiment, IDENTITIES, plan } from './experiments.ts';

const keysOf = (of: Plan) => Object.fromEntries(of.stages.map(({ name, key }) => [name, key]));

/** Stages whose keys differ between two plans. */
function changed(before: Plan, after: Plan): StageName[] {
  const [old, now] = [keysOf(before), keysOf(after)];
  return STAGES.filter((name) => old[name] !== now[name]);
}

const ALL: StageName[] = [...STAGES];
const FROM_LABELS: StageName[] = ['pseudo-label', 'segment', 'evaluate'];
const FROM_SEGMENT: StageName[] = ['segment', 'evaluate'];

const edits: [why: string, field: string, value: Json, runs: StageName[]][] = [
  ['the seed', 'seed', 1, ALL],
  ['shrunk scribbles', 'scribbles.shrink', 0.5, ALL],
  ['dropped scribbles', 'scribbles.drop', 0.1, ALL],
  ['the backbone', 'model.backbone', 'resnet101', ALL],
  ['the output stride', 'model.outputStride', 16, ALL],
  ['the segmentor', 'model.segmentor', 'deeplabv3plus', FROM_SEGMENT],
  ['epochs of classify', 'classify.epochs', 5, ALL],
  ['the crop of classify', 'classify.cropSize', 64, ALL],
  ['augmentation of classify', 'classify.augmentation.flip', false, ALL],
  ['scales of the activation maps', 'pseudoLabels.scales', [1], FROM_LABELS],
  ['flips of the activation maps', 'pseudoLabels.flips', false, FROM_LABELS],
  ['a background threshold', 'pseudoLabels.backgroundThreshold', 0.3, FROM_LABELS],
  ['candidates for the threshold', 'pseudoLabels.thresholdCandidates', [0.3], FROM_LABELS],
  ['no refinement', 'pseudoLabels.refinement.method', 'None', FROM_LABELS],
  ['rounds of refinement', 'pseudoLabels.refinement.iterations', 10, FROM_LABELS],
  ['painted scribbles', 'pseudoLabels.paintScribbles', true, FROM_LABELS],
  ['epochs of segment', 'segment.epochs', 60, FROM_SEGMENT],
  ['validation of segment', 'segment.validateEvery', 5, FROM_SEGMENT],
  ['λc', 'losses.classDistance.lambda', 7, FROM_SEGMENT],
  ['λs', 'losses.scribbleDistance.lambda', 2, FROM_SEGMENT],
  ['a term switched off', 'losses.lorm.enabled', false, FROM_SEGMENT],
  ['a weight', 'losses.pseudoLabel.weight', 0.5, FROM_SEGMENT],
  ['label smoothing', 'losses.pseudoLabel.labelSmoothing', 0, FROM_SEGMENT],
  ['a ramp', 'losses.lorm.ramp', { start: 0, end: 0 }, FROM_SEGMENT],
  ['scales of the evaluation', 'evaluation.scales', [1, 2], ['evaluate']],
  ['kept predictions', 'evaluation.savePredictions', false, ['evaluate']],
  ['suspend', 'suspend', true, []],
  ['retries', 'retries', 9, []],
  ['storage', 'storage.path', '/elsewhere', []],
  ['placement', 'placement.segment.gpus', 4, []],
  ['the queue', 'queueName', 'lab', []],
  ['how long Jobs are kept', 'ttlSecondsAfterFinished', 60, []],
  ['shards', 'placement.evaluate.shards', 4, []],
  ['the rhythm of checkpoints', 'segment.checkpointEvery', 7, []],
  ['the rhythm of checkpoints in classify', 'classify.checkpointEvery', 7, []],
  ['the default output stride, spelled out', 'model.outputStride', 8, []],
];
for (const [why, field, value, runs] of edits) {
  test(`an edit runs what it affects and nothing else: ${why}`, () => assert.equal(changed(plan(), plan(at(field, value))), runs));
}

/** Every leaf of the spec's schema. */
function leaves(node: SchemaNode, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    child.properties === undefined ? [`${path}${name}`] : leaves(child, `${path}${name}.`),
  );
}

test('every field of the spec has been thought about: it is in the table of edits, in a table like it, or known to have no effect', () => {
  const thoughtAbout = new Set(edits.map(([, field]) => field));
  const handledElsewhere = /^(dataset|placement|storage|pseudoLabels\.(source|external)|model\.(weights|weightsFrom|headChannels)|image$)/;
  const siblings = /^(classify|segment|losses\.\w+|pseudoLabels\.refinement|evaluation)\./;
  const forgotten = leaves(schemaTree(ExperimentSpec), '').filter(
    (field) => !thoughtAbout.has(field) && !handledElsewhere.test(field) && !siblings.test(field),
  );
  assert.equal(forgotten, []);
});

const withoutEffect: [why: string, base: Record<string, unknown>, edit: Record<string, unknown>][] = [
  [
    'the settings of a term that is off',
    { losses: { lorm: { enabled: false } } },
    { losses: { lorm: { enabled: false, weight: 3, ramp: { start: 0, end: 1 } } } },
  ],
  ['how a term is off', { losses: { lorm: { enabled: false } } }, { losses: { lorm: { weight: 0 } } }],
  ['λ of a term with weight 0', { losses: { classDistance: { weight: 0 } } }, { losses: { classDistance: { weight: 0, lambda: 9 } } }],
  [
    'candidates where the threshold is given',
    { pseudoLabels: { backgroundThreshold: 0.3 } },
    { pseudoLabels: { backgroundThreshold: 0.3, thresholdCandidates: [0.1] } },
  ],
  [
    'settings of a refinement that is off',
    { pseudoLabels: { refinement: { method: 'None' } } },
    { pseudoLabels: { refinement: { method: 'None', iterations: 3, dilations: [1], fixScribbles: false } } },
  ],
  [
    'activation maps where labels are external',
    { pseudoLabels: { source: 'External', external: { path: 'a' } } },
    { pseudoLabels: { source: 'External', external: { path: 'elsewhere' }, scales: [1], flips: false, backgroundThreshold: 0.4 } },
  ],
  [
    'training of a classifier that is not used',
    { pseudoLabels: { source: 'External', external: { path: 'a' } } },
    { pseudoLabels: { source: 'External', external: { path: 'a' } }, classify: { epochs: 3 } },
  ],
];
for (const [why, base, edit] of withoutEffect) {
  test(`settings without effect run nothing: ${why}`, () => assert.equal(changed(plan(base), plan(edit)), []));
}

test('content counts, not names: data, weights, external labels and trainer', () => {
  assert.equal(changed(plan(), plan({}, { dataset: 'sha256:other' })), ALL);
  assert.equal(changed(plan(), plan({}, { weights: 'none' })), ALL);
  assert.equal(changed(plan(), plan({}, {}, '1.0.1')), ALL);
  const external = { pseudoLabels: { source: 'External', external: { path: 'a' } } };
  assert.equal(changed(plan(external, { externalLabels: 'x' }), plan(external, { externalLabels: 'y' })), FROM_LABELS);
});

test('the channels of DeepLabV3+ run the segmentor again, unless they are the published ones spelled out', () => {
  const headed = (headChannels?: number) => plan({ model: { segmentor: 'deeplabv3plus', headChannels } });
  assert.equal(changed(headed(), headed(64)), FROM_SEGMENT);
  assert.equal(changed(headed(), headed(256)), []);
});

test('the experiment’s name is in no key, so that experiments share what is equal', () => {
  const named = experiment();
  const options = { trainerVersion: '1.0.0', identities: IDENTITIES };
  const other = planExperiment({ ...named, metadata: { name: 'other' } }, options);
  assert.equal(keysOf(other), keysOf(planExperiment(named, options)));
  assert.is(other.experiment, 'other');
});

const shapes: [why: string, spec: Record<string, unknown>, stages: StageName[], omitted: StageName[]][] = [
  ['four stages', {}, ALL, []],
  ['external labels need no classifier', { pseudoLabels: { source: 'External', external: { path: 'a' } } }, FROM_LABELS, ['classify']],
  [
    'terms on scribbles alone need no pseudo-labels',
    { losses: { pseudoLabel: { enabled: false }, classDistance: { weight: 0 }, lorm: { enabled: false } } },
    FROM_SEGMENT,
    ['classify', 'pseudo-label'],
  ],
  ['LoRM alone needs them for its mask', { losses: { pseudoLabel: { enabled: false }, classDistance: { enabled: false } } }, ALL, []],
];
for (const [why, spec, stages, omitted] of shapes) {
  test(`the stages of a plan: ${why}`, () => {
    const made = plan(spec, { externalLabels: 'x' });
    assert.equal(
      made.stages.map(({ name }) => name),
      stages,
    );
    assert.equal(
      made.omitted.map(({ stage }) => stage),
      omitted,
    );
    for (const stage of made.stages) assert.ok(stage.dependsOn.every((name) => stages.includes(name)));
  });
}

test('a key is a SHA-256 in hexadecimal', () => {
  for (const { key } of plan().stages) assert.match(key, /^[0-9a-f]{64}$/);
});

test('upstream stages come in the order in which they run', () => {
  assert.equal(
    allUpstream(plan(), 'evaluate').map(({ name }) => name),
    ['classify', 'pseudo-label', 'segment'],
  );
  assert.equal(allUpstream(plan(), 'classify'), []);
});

test('two stages never share a key, and a plan depends on nothing but its arguments', () => {
  const specs = fc.record({ seed: fc.nat(), retries: fc.nat(100), segment: fc.record({ epochs: fc.integer({ min: 10, max: 99 }) }) });
  fc.assert(
    fc.property(specs, (spec) => {
      const made = plan(spec);
      assert.is(new Set(made.stages.map(({ key }) => key)).size, made.stages.length);
      assert.equal(made, plan(structuredClone(spec)));
    }),
    { numRuns: 50 },
  );
});

test.run();
