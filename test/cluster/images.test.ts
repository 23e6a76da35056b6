import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withFolder } from '../operator/local/temporary-folder.ts';
import { startControlPlane } from './control-plane.ts';
import { buildImage } from './images.ts';
import { startNode } from './node.ts';
import { missingForNode } from './node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from './requirements.ts';

const reason = missingForNode({ images: true }) ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy']);
const clusterTest = clusterTests(reason);
const say = console.log;

const DOCKERFILE = `
FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /app
ARG WORD
RUN echo "console.log(process.version, '$WORD', process.getuid(), process.getgid())" > main.js && npm --version
FROM docker.io/library/node:24-bookworm-slim
COPY --from=build /app /app
USER 1000:1000
ENTRYPOINT ["node", "/app/main.js"]
`;

clusterTest('an image that is built here runs in a pod, as the user that it names', () =>
  withFolder(async (context) => {
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    const image = await buildImage({ name: 'docker.io/library/cdsp-try:1', context, arguments: { WORD: 'hello' }, say });
    assert.match(image.id, /^[0-9a-f]{64}$/);
    await using cluster = await startControlPlane({ controllers: true, network: true, say });
    const node = await startNode(cluster);
    await node.importImages(image.archive);
    const restricted = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    };
    const container = { name: 'try', image: 'cdsp-try:1', imagePullPolicy: 'Never', securityContext: restricted };
    await cluster.client.expect('POST', '/api/v1/namespaces/default/pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'try' },
      spec: { restartPolicy: 'Never', containers: [container] },
    });
    const phase = () => cluster.kubectl('get', 'pod', 'try', '-o', 'jsonpath={.status.phase}');
    await cluster.waitUntil('the pod', async () => ['Succeeded', 'Failed'].includes(await phase()));
    assert.is(await cluster.kubectl('logs', 'try'), `${process.version} hello 1000 1000\n`);
    assert.is(await phase(), 'Succeeded');
  }),
);

clusterTest('a Dockerfile that fails shows what its command said', () =>
  withFolder(async (context) => {
    writeFileSync(join(context, 'Dockerfile'), 'FROM docker.io/library/node:24-bookworm-slim\nRUN echo the reason && exit 7\n');
    const error: unknown = await buildImage({ name: 'docker.io/library/cdsp-fails:1', context }).catch((thrown: unknown) => thrown);
    assert.match(String(error), /buildah build has failed:\n.*the reason.*exit status 7/s);
  }),
);

test.run();
