// npm run cluster: a real Kubernetes on this machine until Ctrl-C, with the project's resources in it. Where a node can run, pods run;
// elsewhere (or with --simulated) they are simulated, and succeed after two seconds.
import { applyCrds } from './apply.ts';
import { startControlPlane } from './control-plane.ts';
import { startKwok } from './kwok.ts';
import { startNode } from './node.ts';
import { missingForNode } from './node-requirements.ts';
import { startProvisioner } from './volumes.ts';

const say = console.log;
const reason = process.argv.includes('--simulated') ? 'asked for' : missingForNode();

const stopped = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
});
// Keeps this process until then: what it starts does not.
const alive = setInterval(() => {}, 1 << 30);

async function start() {
  const cluster = await startControlPlane({ controllers: true, network: reason === undefined, say });
  say(`resources: ${(await applyCrds(cluster)).join(', ')}`);
  await startProvisioner(cluster);
  if (reason === undefined) {
    const node = await startNode(cluster, { say });
    say(`node: ${node.name}, ${node.address}`);
  } else {
    await startKwok(cluster, { ends: [{ name: 'all', runMs: 2000 }], say });
    say(`node: simulated (${reason})`);
  }
  say(`\nexport KUBECONFIG=${cluster.kubeconfig}\n\nCtrl-C removes the cluster and everything in it.`);
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
