// Experiments that nobody thought of: a cluster and parse() judge them alike.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExperimentCrd } from '../../operator/api/crd.ts';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { manifest } from '../operator/api/manifests.ts';
import { askParse, askServer } from './judges.ts';
import { mutatedSpecs, specValues } from './random-specs.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const root = buildExperimentCrd().spec.versions[0].schema.openAPIV3Schema as SchemaNode;
const specs = specValues(root.properties?.spec ?? {});

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
  await applyCrds(plane);
});

clusterTest('what keeps the schema and its rules is taken by both, with the same defaults', async () => {
  await fc.assert(
    fc.asyncProperty(specs, async (spec) => {
      const value = manifest(spec as Record<string, unknown>);
      const [inCluster, here] = [await askServer(plane.client, value), askParse(value)];
      assert.is(inCluster.message, '');
      assert.equal(inCluster.spec, here.spec);
    }),
    { numRuns: 40 },
  );
});

clusterTest('with one thing changed, both take it or both refuse it', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(mutatedSpecs(specs), async (spec) => {
      const value = { ...manifest({}), spec };
      const [inCluster, here] = [await askServer(plane.client, value), askParse(value)];
      assert.is(inCluster.isAccepted, here.isAccepted, `${inCluster.message} | ${here.message}`);
      assert.equal(inCluster.spec, here.spec);
      if (!here.isAccepted) refused++;
    }),
    { numRuns: 150, endOnFailure: true },
  );
  assert.ok(refused > 30, `only ${refused} were refused`);
});

test.run();
