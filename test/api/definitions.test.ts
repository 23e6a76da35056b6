// What becomes of experiments when the definition is replaced: an upgrade, and the way back.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { experimentsPath } from '../../operator/controller/resource-paths.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { define, fieldsOf } from '../cluster/definition.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { manifest } from '../operator/api/manifests.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const EXPERIMENTS = experimentsPath('default');
const MERGE = 'application/merge-patch+json';

interface Stored {
  readonly metadata: { readonly generation: number };
  readonly spec: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
}

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
});

const today = () => define(plane, () => undefined);
/** With a field that has a default, one that has none, and one in the status. */
const newer = () =>
  define(plane, (crd) => {
    fieldsOf(crd, 'spec').mixup = { type: 'number', default: 0.5 };
    fieldsOf(crd, 'spec').note = { type: 'string' };
    fieldsOf(crd, 'status').sharpness = { type: 'integer' };
  });
const create = (name: string, spec: Record<string, unknown> = {}) =>
  plane.client.expect<Stored>('POST', EXPERIMENTS, { ...manifest(spec), metadata: { name } });
const read = (name: string) => plane.client.expect<Stored>('GET', `${EXPERIMENTS}/${name}`);
const patch = (path: string, body: object) => plane.client.request<Stored>('PATCH', `${EXPERIMENTS}/${path}`, body, MERGE);

clusterTest('an experiment from before an upgrade is read with the newer definition’s defaults, and its generation stays', async () => {
  await today();
  await create('older');
  await newer();
  const { spec, metadata } = await read('older');
  assert.equal([spec.mixup, spec.note, metadata.generation], [0.5, undefined, 1]);
});

clusterTest('after the way back, what only the newer definition knows is not shown, and comes back with it', async () => {
  await newer();
  await create('returning', { mixup: 0.9, note: 'kept' });
  await patch('returning/status', { status: { phase: 'Running', sharpness: 3 } });
  await today();
  const shown = await read('returning');
  assert.equal([shown.spec.mixup, shown.spec.note], [undefined, undefined]);
  assert.equal([shown.status?.phase, shown.status?.sharpness], ['Running', undefined]);
  await newer();
  const again = await read('returning');
  assert.equal([again.spec.mixup, again.spec.note, again.status?.sharpness], [0.9, 'kept', 3]);
});

clusterTest('a write in between drops it for good, a write of the status included', async () => {
  await newer();
  await create('written', { mixup: 0.9, note: 'lost' });
  await today();
  assert.is((await patch('written/status', { status: { phase: 'Running' } })).status, 200);
  await newer();
  const { spec } = await read('written');
  assert.equal([spec.mixup, spec.note], [0.5, undefined]);
});

clusterTest('an experiment that a stricter definition would refuse can still be changed elsewhere, and its status written', async () => {
  await define(plane, (crd) => {
    fieldsOf(crd, 'spec').queueName = { type: 'string' };
    fieldsOf(crd, 'spec').retries = { type: 'integer', default: 2 };
  });
  await create('grandfathered', { queueName: 'Not A Name', retries: 1000 });
  await today();
  assert.is((await patch('grandfathered/status', { status: { phase: 'Running' } })).status, 200);
  assert.is((await patch('grandfathered', { spec: { seed: 1 } })).status, 200);
  assert.is((await patch('grandfathered', { spec: { retries: 1001 } })).status, 422);
});

test.run();
