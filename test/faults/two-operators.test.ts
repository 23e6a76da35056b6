// Two operators: one takes over from the other, one wakes up too late, and both act at once although they should not.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1Lease } from '@kubernetes/client-node';
import { STAGES } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import { podsPath } from '../../operator/controller/resource-paths.ts';
import type { Program } from '../cluster/program.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { startApiProxy } from './api-proxy.ts';
import type { ApiProxy, Interception } from './api-proxy.ts';
import { checkLeavesNothing, checkStages, hold, upTo } from './every-stage.ts';
import { FaultCluster, OPERATOR_NAMESPACE, whyNoFaultCluster } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
let proxy: ApiProxy;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  proxy = stopLater(await startApiProxy(cluster.plane));
});

const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases/cdsp-operator`;
const readLease = async () => (await cluster.plane.client.expect<V1Lease>('GET', LEASE)).spec;
const untilLeads = (identity: string) =>
  cluster.plane.waitUntil(`${identity} to lead`, async () => (await readLease().catch(() => undefined))?.holderIdentity === identity);

const namespaceOf = (prefix: string, stage: StageName) => `${prefix}-${stage}`;
const inEachStage = (act: (stage: StageName) => Promise<void>) => Promise.all(STAGES.map(act));

/** Two replicas, of which the first leads and has brought four experiments to where each of the stages runs. */
async function startTwo(prefix: string, leaseSeconds: number, kubeconfig?: string): Promise<[Program, Program]> {
  const config = { leaseSeconds };
  const first = await cluster.startProcess('first', { kubeconfig, config });
  await untilLeads('first');
  const second = await cluster.startProcess('second', { config });
  await inEachStage(async (stage) => {
    const namespace = await cluster.makeNamespace(namespaceOf(prefix, stage));
    cluster.player.play(namespace, holdFirst(stage));
    await hold(cluster, namespace, stage);
  });
  return [first, second];
}

/** Whoever leads now brings all to their end, with no stage twice. */
async function checkGoesOn(prefix: string): Promise<void> {
  await inEachStage(async (stage) => {
    const namespace = namespaceOf(prefix, stage);
    cluster.player.play(namespace, SUCCEEDS);
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    await cluster.checkRanOnce(namespace);
    await checkLeavesNothing(cluster, namespace);
  });
}

clusterTest('a leader that is asked to end gives the lease back: the other one need not wait for its end', async () => {
  const leaseSeconds = 20;
  const [first, second] = await startTwo('asked', leaseSeconds);
  const stoppedAt = performance.now();
  await first.stop('SIGTERM');
  await untilLeads('second');
  assert.ok(performance.now() - stoppedAt < 1000 * leaseSeconds, 'the other one has waited for the end of the lease');
  await checkGoesOn('asked');
  await second.stop('SIGTERM');
  assert.is((await readLease())?.holderIdentity, '');
});

clusterTest('a leader that is killed is followed when its lease has ended, and not before', async () => {
  const [first, second] = await startTwo('killed', 3);
  await first.stop('SIGKILL');
  const renewed = new Date((await readLease())?.renewTime ?? 0).getTime();
  await untilLeads('second');
  const acquired = new Date((await readLease())?.acquireTime ?? 0).getTime();
  assert.ok(acquired - renewed >= 3000, `acquired ${acquired - renewed} ms after it was last renewed`);
  await checkGoesOn('killed');
  await second.stop('SIGTERM');
});

/** Requests of the operator behind the proxy from now on, but those of watches and of its lease. */
function listen(interception?: Promise<Interception>): string[] {
  const asked: string[] = [];
  proxy.intercept = ({ method, path, isWatch }) => {
    if (!isWatch && !path.includes('/leases/')) asked.push(`${method} ${path}`);
    return interception;
  };
  return asked;
}

for (const [what, answer] of [
  ['gets no answers any more', new Promise<Interception>(() => {})],
  ['is refused every request', Promise.resolve({ answer: { status: 503, reason: 'ServiceUnavailable' } })],
] as const) {
  clusterTest(`a leader that ${what} ends by itself when its lease does; stages that end meanwhile are gone on with once`, async () => {
    const prefix = what.split(' ')[0];
    const [first, second] = await startTwo(prefix, 3, proxy.kubeconfig);
    listen(answer);
    proxy.drop();
    for (const stage of STAGES) cluster.player.play(namespaceOf(prefix, stage), SUCCEEDS);
    await untilLeads('second');
    const asked = listen();
    assert.match(String(await first.failure.catch((error: unknown) => error)), /exit code 1/);
    assert.equal(asked, [], 'it has asked for something after its time');
    await checkGoesOn(prefix);
    await second.stop('SIGTERM');
  });
}

clusterTest('a leader that slept for longer than its lease ends when it wakes, and asks for nothing before', async () => {
  const [first, second] = await startTwo('asleep', 3, proxy.kubeconfig);
  process.kill(first.pid, 'SIGSTOP');
  await untilLeads('second');
  // Much for it to hear of when it wakes.
  await inEachStage(async (stage) => {
    const namespace = namespaceOf('asleep', stage);
    await cluster.edit(namespace, 'cats', { seed: 7 });
    await cluster.until(namespace, 'cats', 'seen as edited', () => true);
    cluster.player.play(namespace, SUCCEEDS);
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  });
  const asked = listen();
  process.kill(first.pid, 'SIGCONT');
  assert.match(String(await first.failure.catch((error: unknown) => error)), /exit code 1/);
  assert.equal(asked, []);
  await inEachStage((stage) => checkStages(cluster, namespaceOf('asleep', stage), [...upTo(stage), ...STAGES]));
  await second.stop('SIGTERM');
});

clusterTest('two operators that both act leave each stage one pod at a time, whatever people do meanwhile', async () => {
  const operators = [await cluster.startLocal(), await cluster.startLocal()];
  const shared = { storage: { claimName: 'shared' }, retries: 0 };
  const namespaces = await Promise.all(STAGES.map((stage) => cluster.makeNamespace(`both-${stage}`)));
  await Promise.all(
    STAGES.map(async (stage, index) => {
      const namespace = namespaces[index];
      await cluster.makeClaim(namespace, 'shared');
      cluster.player.play(namespace, holdFirst(stage));
      await cluster.create(namespace, 'cats', shared);
      await cluster.create(namespace, 'dogs', shared);
      const pod = await cluster.untilRuns(namespace, stage);
      await cluster.delete(`${podsPath(namespace)}/${pod.metadata?.name}`);
      await cluster.edit(namespace, 'dogs', { suspend: true });
      await cluster.edit(namespace, 'dogs', { suspend: false, losses: { classDistance: { lambda: 5 } } });
      await cluster.untilPhase(namespace, 'cats', 'Succeeded');
      await cluster.untilPhase(namespace, 'dogs', 'Succeeded');
      await cluster.checkEnd(namespace);
      const completed = (await cluster.jobs(namespace)).flatMap(({ status }) => status?.succeeded ?? 0);
      assert.ok(completed.every((times) => times <= 1));
      await cluster.deleteExperiment(namespace, 'cats');
      await cluster.deleteExperiment(namespace, 'dogs');
      await cluster.checkEmpty(namespace, ['shared']);
    }),
  );
  for (const operator of operators) await operator.stop();
});

test.run();
