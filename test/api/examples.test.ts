// The examples for clusters, and the pieces of a spec in the guides: both judges accept them, and so does the operator.
import { globSync, readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KIND } from '../../operator/api/experiment.ts';
import { validateExperiment } from '../../operator/api/parse.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { clusterFindings } from '../../operator/controller/cluster-findings.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { manifest } from '../operator/api/manifests.ts';
import { askServer } from './judges.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const ALLOWANCES = OperatorConfig.parse({ trainerImage: 'registry.example.org/cdsp-trainer:1' });

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
  await applyCrds(plane);
});

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

async function assertAccepted(experiment: unknown): Promise<void> {
  const verdict = await askServer(plane.client, experiment);
  assert.ok(verdict.isAccepted, verdict.message);
  const { spec } = validateExperiment(experiment);
  assert.equal(verdict.spec, spec, 'both fill in the same defaults');
  assert.equal(clusterFindings(spec, ALLOWANCES), []);
}

for (const file of globSync('examples/cluster/*.yaml').sort()) {
  clusterTest(`${file} is accepted by the API server, by parse() and by the operator, and named like its file`, async () => {
    const documents = loadAll(readFileSync(file, 'utf8')) as Document[];
    for (const document of documents) {
      if (document.kind === KIND) {
        assert.is(`examples/cluster/${document.metadata.name}.yaml`, file);
        await assertAccepted(document);
      } else {
        // kubectl knows where each kind belongs.
        await plane.kubectl('create', '--dry-run=server', '--validate=strict', '--filename', file, '--namespace', 'default');
      }
    }
  });
}

/** Pieces of YAML in a guide, in order. */
const piecesOf = (file: string) => [...readFileSync(file, 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text);

for (const file of ['docs/storage.md', 'docs/gpus.md']) {
  clusterTest(`every piece of a spec in ${file} is accepted`, async () => {
    const specs = piecesOf(file).flatMap((text) => loadAll(text) as Record<string, Record<string, unknown>>[]);
    assert.ok(specs.length >= 3);
    for (const { spec } of specs) await assertAccepted(manifest(spec));
  });

  test(`${file} leads to files that are there`, () => {
    const links = [...readFileSync(file, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link);
    assert.ok(links.length > 0);
    for (const link of links) assert.equal(globSync(link, { cwd: 'docs' }), [link]);
  });
}

test.run();
