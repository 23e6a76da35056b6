// The operator is killed at every point between two requests to the API server: before a request is sent, and after it was answered.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import type { Program } from '../cluster/program.ts';
import { startApiProxy } from './api-proxy.ts';
import type { ApiProxy, ProxiedRequest } from './api-proxy.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import type { Moment } from './mortal-cluster.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
let proxy: ApiProxy;
let operator: Program;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  proxy = stopLater(await startApiProxy(cluster.plane));
  operator = await cluster.startProcess('operator', proxy);
});

const isLease = ({ path }: ProxiedRequest) => path.includes('/leases');
const isWork = (request: ProxiedRequest) => !request.isWatch && !isLease(request);

/** Kills the operator at its request of this number (from 1) that counts. @returns a promise of what was asked for, and a way to call it off */
function killAt(number: number, moment: Moment, counts: (request: ProxiedRequest) => boolean) {
  const killed = Promise.withResolvers<string | undefined>();
  let count = 0;
  let isKilling = false;
  proxy.intercept = async (request) => {
    if (!counts(request) || ++count !== number) return undefined;
    isKilling = true;
    const kill = async () => {
      await operator.stop('SIGKILL');
      killed.resolve(`${request.method} ${request.path.split('/').slice(-2).join('/')}`);
    };
    if (moment === 'after') return { onAnswer: kill };
    await kill();
    // There is nobody left to answer.
    return { answer: { status: 503, reason: 'Killed' } };
  };
  const callOff = () => {
    if (isKilling) return;
    proxy.intercept = () => undefined;
    killed.resolve(undefined);
  };
  return { killed: killed.promise, callOff };
}

async function restart(): Promise<void> {
  proxy.intercept = () => undefined;
  operator = await cluster.startProcess('operator', proxy);
}

for (const moment of ['before', 'after'] as const) {
  clusterTest(`killed ${moment} each of the requests of an experiment: restarted, it ends as if nothing had been`, async () => {
    const points: string[] = [];
    for (let number = 1; ; number++) {
      const namespace = await cluster.makeNamespace(`killed-${moment}-${number}`);
      const { killed, callOff } = killAt(number, moment, isWork);
      await cluster.create(namespace, 'cats');
      // Where it has come to the end there was no such request.
      void cluster.untilPhase(namespace, 'cats', 'Succeeded').then(callOff, callOff);
      const point = await killed;
      if (point !== undefined) {
        points.push(point);
        await restart();
      }
      await cluster.untilPhase(namespace, 'cats', 'Succeeded');
      await cluster.checkRanOnce(namespace);
      if (point === undefined) break;
      // A request after the last status, such as its event, leaves the experiment as it is.
      assert.ok(number < 40, 'an experiment of four stages needs fewer requests');
    }
    console.log(`killed ${moment}: ${points.join(', ')}`);
    assert.ok(points.length >= 12, `only ${points.length} points: ${points.join(', ')}`);
  });
}

clusterTest('killed at each request of its start, with an experiment that waits: the next one goes on with it', async () => {
  await operator.stop('SIGKILL');
  for (let number = 1; number <= 8; number++) {
    const namespace = await cluster.makeNamespace(`start-${number}`);
    await cluster.create(namespace, 'cats');
    const { killed } = killAt(number, 'before', ({ isWatch }) => !isWatch);
    operator = await cluster.startProcess('operator', proxy);
    await killed;
  }
  await restart();
  for (let number = 1; number <= 8; number++) {
    await cluster.untilPhase(`start-${number}`, 'cats', 'Succeeded');
    await cluster.checkRanOnce(`start-${number}`);
  }
});

clusterTest('what was left behind by all of them is one lease, and goes with the experiments', async () => {
  const leases = await cluster.list('/apis/coordination.k8s.io/v1/namespaces/cdsp-system/leases');
  assert.equal(
    leases.map(({ metadata }) => metadata?.name),
    ['cdsp-operator'],
  );
  await cluster.delete('/apis/cdsp.dev/v1alpha1/namespaces/killed-after-1/cdspexperiments/cats');
  await cluster.checkEmpty('killed-after-1', ['cdsp-cats']);
});

test.run();
