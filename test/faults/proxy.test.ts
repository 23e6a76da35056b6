// What lies between the operator and the API server goes wrong: requests that are refused or lose their answers, watches that end, clocks.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { STAGES } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { kindOf, startApiProxy } from './api-proxy.ts';
import type { ApiProxy, Interception, Refusal } from './api-proxy.ts';
import { stopAndEdit } from './courses.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import type { OperatorOptions } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
let proxy: ApiProxy;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  proxy = stopLater(await startApiProxy(cluster.plane));
});

/** A test with an operator behind the proxy. */
function proxyTest(why: string, run: () => Promise<void>, options: OperatorOptions = {}): void {
  clusterTest(why, async () => {
    const operator = await cluster.startLocal({ ...options, kubeconfig: proxy.kubeconfig });
    try {
      await run();
    } finally {
      proxy.intercept = () => undefined;
      await operator.stop();
    }
  });
}

const KINDS = ['POST persistentvolumeclaims', 'POST jobs', 'PATCH jobs', 'DELETE jobs', 'PATCH status', 'POST events'];

/** Has the first requests of each kind in a namespace end like this. @returns the kinds that there were */
function interceptFirst(count: number, namespace: string, kinds: readonly string[], interception: Interception): Map<string, number> {
  const seen = new Map<string, number>();
  proxy.intercept = (request) => {
    if (request.isWatch || !request.path.includes(`/namespaces/${namespace}/`)) return undefined;
    const kind = kindOf(request);
    const number = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, number);
    return kinds.includes(kind) && number <= count ? interception : undefined;
  };
  return seen;
}

const BUSY: Refusal = { status: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 };
const BROKEN: Refusal = { status: 500, reason: 'InternalError' };
const AWAY: Refusal = { status: 503, reason: 'ServiceUnavailable' };
/** As Kubernetes before 1.32 and 1.33 answer by default. */
const NO_STREAMS: Refusal = { status: 422, reason: 'Invalid' };
const CONFLICT: Refusal = { status: 409, reason: 'Conflict' };

for (const [name, what, kinds, count, interception] of [
  ['busy', '429 with Retry-After', KINDS, 1, { answer: BUSY }],
  ['broken', '500', KINDS, 4, { answer: BROKEN }],
  ['away', '503', KINDS, 4, { answer: AWAY }],
  ['conflict', '409', ['PATCH jobs', 'DELETE jobs', 'PATCH status'], 3, { answer: CONFLICT }],
  ['lost', '500 after it has taken effect', KINDS, 2, { lostTo: BROKEN }],
] as const) {
  proxyTest(`the first requests of each kind are answered with ${what}: the end is the same`, async () => {
    const namespace = await cluster.makeNamespace(`refused-${name}`);
    const seen = interceptFirst(count, namespace, kinds, interception);
    await stopAndEdit(cluster, namespace);
    assert.equal(
      KINDS.filter((kind) => !seen.has(kind)),
      [],
      'kinds of requests that there were none of',
    );
  });
}

proxyTest('a server that asks for a second of rest gets it', async () => {
  const namespace = await cluster.makeNamespace('rest');
  const times: number[] = [];
  proxy.intercept = (request) => {
    if (kindOf(request) !== 'POST persistentvolumeclaims') return undefined;
    times.push(performance.now());
    return times.length === 1 ? { answer: BUSY } : undefined;
  };
  await cluster.create(namespace, 'cats');
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  assert.ok(times[1] - times[0] >= 1000, `asked again after ${times[1] - times[0]} ms`);
  await cluster.checkRanOnce(namespace);
});

/** An operator that starts behind the proxy, and an experiment that was there before. */
async function runFromStart(namespace: string): Promise<void> {
  await cluster.makeNamespace(namespace);
  await cluster.create(namespace, 'cats');
  const operator = await cluster.startLocal(proxy);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await operator.stop();
  await cluster.checkRanOnce(namespace);
}

clusterTest('an operator that starts while nothing can be listed begins when it can', async () => {
  let refusals = 0;
  proxy.intercept = ({ isStream, isWatch, method }) => {
    const isFilling = isStream || (method === 'GET' && !isWatch);
    return isFilling && refusals++ < 9 ? { answer: AWAY } : undefined;
  };
  await runFromStart('refused-lists');
  assert.ok(refusals > 9);
});

clusterTest('an operator whose server sends no objects by a watch lists them', async () => {
  let refusals = 0;
  proxy.intercept = ({ isStream }) => (isStream && ++refusals > 0 ? { answer: NO_STREAMS } : undefined);
  await runFromStart('no-streams');
  assert.is(refusals, 3, 'one for each cache');
});

/** Runs an experiment with something done while each of its stages runs. */
async function runWithTrouble(namespace: string, makeTrouble: (stage: StageName) => Promise<void> | void): Promise<void> {
  cluster.player.play(namespace, holdFirst('classify'));
  await cluster.create(namespace, 'cats', { retries: 0 });
  for (const [index, stage] of STAGES.entries()) {
    await cluster.untilRuns(namespace, stage);
    await makeTrouble(stage);
    cluster.player.play(namespace, index + 1 < STAGES.length ? holdFirst(STAGES[index + 1]) : SUCCEEDS);
  }
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.checkRanOnce(namespace);
}

proxyTest('watches that are dropped in every stage go on', async () => {
  const namespace = await cluster.makeNamespace('dropped-watches');
  await runWithTrouble(namespace, () => proxy.drop());
});

for (const [name, refusal] of [
  ['expired', { status: 410, reason: 'Expired' }],
  ['refused', AWAY],
] as const) {
  proxyTest(`watches that are ${name} (${refusal.status}) in every stage are begun again`, async () => {
    const namespace = await cluster.makeNamespace(`${name}-watches`);
    await runWithTrouble(namespace, () => {
      let refusals = 0;
      proxy.intercept = ({ isWatch }) => (isWatch && refusals++ < 6 ? { answer: refusal } : undefined);
      proxy.drop();
    });
  });
}

proxyTest(
  'what happened while nobody could watch is found by the list: a stage that ended, an experiment that came, one that went',
  async () => {
    const namespace = await cluster.makeNamespace('blind');
    const gone = await cluster.makeNamespace('blind-gone');
    cluster.player.play(namespace, holdFirst('classify'));
    cluster.player.play(gone, holdFirst('classify'));
    await cluster.create(namespace, 'cats');
    await cluster.create(gone, 'cats');
    await cluster.untilRuns(namespace, 'classify');
    await cluster.untilRuns(gone, 'classify');
    proxy.intercept = ({ isWatch }) => (isWatch ? { answer: AWAY } : undefined);
    proxy.drop();
    cluster.player.play(namespace, SUCCEEDS);
    await cluster.plane.waitUntil('classify to end', () => cluster.player.active(namespace).length === 0);
    await cluster.deleteExperiment(gone, 'cats');
    await cluster.checkEmpty(gone, ['cdsp-cats']);
    await cluster.create(gone, 'dogs');
    const expired = new Set<string>();
    proxy.intercept = ({ isWatch, path }) => {
      if (!isWatch || expired.has(path)) return undefined;
      expired.add(path);
      return { answer: { status: 410, reason: 'Expired' } };
    };
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    await cluster.checkRanOnce(namespace);
    cluster.player.play(gone, SUCCEEDS);
    await cluster.untilPhase(gone, 'dogs', 'Succeeded');
    assert.equal(cluster.player.stages(gone), ['classify', ...STAGES]);
    assert.is(expired.size, 3);
  },
);

proxyTest('the API server is killed and started again in every stage', async () => {
  const namespace = await cluster.makeNamespace('restarted');
  await runWithTrouble(namespace, () => cluster.plane.restartApiServer('SIGKILL'));
});

const HOUR = 3_600_000;
for (const [name, offset] of [
  ['ahead', HOUR],
  ['behind', -HOUR],
] as const) {
  proxyTest(
    `an operator whose clock is an hour ${name} does the same`,
    async () => {
      const namespace = await cluster.makeNamespace(`clock-${name}`);
      await stopAndEdit(cluster, namespace);
      await cluster.deleteExperiment(namespace, 'cats');
      await cluster.checkEmpty(namespace, ['cdsp-cats']);
    },
    { now: () => Date.now() + offset },
  );
}

let offset = 0;
proxyTest(
  'a clock that is set by an hour, to and fro, in every stage changes nothing',
  async () => {
    const namespace = await cluster.makeNamespace('clock-set');
    await runWithTrouble(namespace, (stage) => {
      offset = STAGES.indexOf(stage) % 2 === 0 ? HOUR : -HOUR;
    });
  },
  { now: () => Date.now() + offset },
);

test.run();
