import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { discoverPods, toTargets } from './pod-discovery.ts';

const POD = {
  metadata: { name: 'cats-segment', namespace: 'lab' },
  spec: { containers: [{ ports: [{ name: 'metrics', containerPort: 8080 }] }, {}] },
  status: { podIP: '10.0.0.7', phase: 'Running' },
};

test('every port of a pod becomes a target with the labels of Prometheus’ own discovery', () => {
  assert.equal(toTargets([POD]), [
    {
      targets: ['10.0.0.7:8080'],
      labels: {
        __meta_kubernetes_namespace: 'lab',
        __meta_kubernetes_pod_name: 'cats-segment',
        __meta_kubernetes_pod_container_port_name: 'metrics',
      },
    },
  ]);
});

test('pods that have no address yet and pods that have ended are no targets', () => {
  assert.equal(toTargets([{ ...POD, status: {} }]), []);
  assert.equal(toTargets([{ ...POD, status: { ...POD.status, phase: 'Succeeded' } }]), []);
});

test('the file of targets is there before Prometheus starts, and is left alone when the discovery stops', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-discovery-'));
  try {
    const file = join(folder, 'pods.json');
    const discovery = await discoverPods(() => Promise.resolve([POD]), file);
    await discovery.stop();
    assert.equal(JSON.parse(readFileSync(file, 'utf8')), toTargets([POD]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
