import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentError } from '../../../operator/api/findings.ts';
import type { Finding } from '../../../operator/api/findings.ts';
import { validateExperiment } from '../../../operator/api/parse.ts';
import { LARGEST_SPEC_BYTES, sizeFindings } from '../../../operator/api/spec-size.ts';
import { longestValue, STAGE_ENVIRONMENT } from '../../../operator/api/stage-contract.ts';
import { buildJob } from '../../../operator/controller/build-job.ts';
import { checkExperiment } from '../../../operator/controller/check-experiment.ts';
import { referencedIdentities } from '../../../operator/controller/references.ts';
import { planExperiment } from '../../../operator/plan/plan.ts';
import { OperatorConfig } from '../../../operator/config.ts';
import { experiment } from '../plan/experiments.ts';
import { manifest } from './manifests.ts';
import { NODE_TERMS, withNodeTerms } from './node-terms.ts';

function findingsOf(spec: Record<string, unknown>): readonly Finding[] {
  try {
    validateExperiment(manifest(spec));
    return [];
  } catch (error) {
    if (error instanceof ExperimentError) return error.findings;
    throw error;
  }
}

test('a spec that is larger than anybody writes is refused by its longest field, with its size and what it may be', () => {
  assert.equal(findingsOf(withNodeTerms(3)), []);
  const [{ field, message }, ...others] = findingsOf(withNodeTerms(4));
  assert.equal([field, others], [NODE_TERMS, []]);
  assert.match(message, /^takes 13\d{4} of the spec’s 13\d{4} bytes, which may be 122868 \(as JSON, defaults included\); shorten it$/);
});

test('letters count by their bytes', () => {
  const folder = (letter: string) => ({ path: letter.repeat(4096), images: letter.repeat(4096), masks: letter.repeat(4096) });
  const classes = Array.from({ length: 255 }, (_, index) => `${'類'.repeat(60)}${String(index).padStart(3, '0')}`);
  const dataset = (letter: string) => ({ dataset: { folder: { ...folder(letter), scribbles: letter.repeat(4096) }, classes } });
  assert.equal(findingsOf({ ...dataset('x'), storage: { path: 'x'.repeat(4096) } }), []);
  assert.equal(
    findingsOf({ ...dataset('🐈'), storage: { path: '🐈'.repeat(4096) } }).map(({ field }) => field),
    ['spec.dataset.classes'],
  );
});

/** As an experiment was stored before its fields were bounded: a path of data of such a length. */
function withPath(length: number) {
  const { spec, ...rest } = experiment({ dataset: { folder: { path: 'x', claimName: 'c' } } });
  const folder = { images: 'a', scribbles: 'b', masks: 'c', trainSplit: 'd', valSplit: 'e', path: 'x'.repeat(length), claimName: 'c' };
  return { ...rest, spec: { ...spec, dataset: { folder } } };
}

test('what is just not too large finds room in the variable, with the longest names and the most folders beside it', () => {
  const { spec: shortest, ...rest } = withPath(1);
  const longest = 1 + LARGEST_SPEC_BYTES - JSON.stringify(shortest).length;
  assert.equal(sizeFindings(withPath(longest).spec), []);
  assert.is(sizeFindings(withPath(longest + 1).spec).length, 1);
  const { spec } = withPath(longest);
  const name = 'n'.repeat(52);
  const owner = { name, namespace: 'lab', uid: 'uid', generation: 1, spec };
  const plan = planExperiment({ ...rest, metadata: { name }, spec }, { trainerVersion: 't', identities: referencedIdentities(spec) });
  const settings = OperatorConfig.parse({ trainerImage: 't' });
  const jobs = plan.stages.map((stage) => buildJob(owner, plan, stage, { claim: 'c', image: 't', settings }));
  assert.ok(jobs.length > 0);
  for (const job of jobs) {
    const value = job.spec?.template.spec?.containers[0].env?.find((variable) => variable.name === STAGE_ENVIRONMENT)?.value ?? '';
    assert.ok(Buffer.byteLength(value) <= longestValue(STAGE_ENVIRONMENT));
  }
});

test('the operator refuses one that was stored before its fields were bounded', () => {
  const found = checkExperiment(withPath(200_000), { trainerImage: 't', allowedImages: [], allowedDataImages: [] });
  assert.equal(
    found.map(({ field }) => field),
    ['spec.dataset.folder.path'],
  );
});

test.run();
