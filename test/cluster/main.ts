// npm run cluster: a real Kubernetes on this machine until Ctrl-C, with the project's operator in it. Where a node can run, pods run: the
// operator is installed by its chart, from images of this checkout. Elsewhere (or with --simulated) pods are simulated and succeed after two
// seconds, and the operator is a process beside them. --without-operator: the resources alone.
import { dirname } from 'node:path';
import { applyCrds } from './apply.ts';
import { getProgram } from './binaries.ts';
import { startControlPlane } from './control-plane.ts';
import { importProjectImages, installChart, startOperatorProcess } from './installed-operator.ts';
import { startKwok } from './kwok.ts';
import { startNode } from './node.ts';
import { missingForNode } from './node-requirements.ts';
import { startProvisioner } from './volumes.ts';

const say = console.log;
const reason = process.argv.includes('--simulated') ? 'asked for' : missingForNode({ images: true });
const withOperator = !process.argv.includes('--without-operator');

const stopped = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
});
// Keeps this process until then: what it starts does not.
const alive = setInterval(() => {}, 1 << 30);

async function start() {
  const cluster = await startControlPlane({ controllers: true, network: reason === undefined, say });
  // The chart brings the resources itself.
  if (reason !== undefined || !withOperator) say(`resources: ${(await applyCrds(cluster)).join(', ')}`);
  await startProvisioner(cluster);
  if (reason === undefined) {
    const node = await startNode(cluster, { say });
    say(`node: ${node.name}, ${node.address}`);
    if (withOperator) {
      await importProjectImages(node, say);
      await installChart(cluster);
    }
  } else {
    await startKwok(cluster, { ends: [{ name: 'all', runMs: 2000 }], say });
    say(`node: simulated (${reason})`);
    if (withOperator) await startOperatorProcess(cluster);
  }
  if (withOperator) say('operator: ready; try  kubectl apply -f examples/quickstart.yaml  and  kubectl get cdsp -w');
  const programs = dirname(await getProgram('kubectl'));
  say(
    `\nexport KUBECONFIG=${cluster.kubeconfig}\nexport PATH=$PATH:${programs}   # kubectl, where you have none\n\nCtrl-C removes the cluster and everything in it.`,
  );
  return cluster;
}

const started = start();
// Ctrl-C while it starts: the watchdog removes what is there.
const cluster = await Promise.race([started, stopped]);
if (typeof cluster !== 'string') {
  await stopped;
  await cluster.stop();
}
clearInterval(alive);
process.exit();
