// Writes what is generated from the source: the CRD, the chart's copy of it and its values, the references and the table of exit codes. With --check it writes nothing and fails on a difference.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dump } from 'js-yaml';
import { buildValuesFile, buildValuesSchema } from '../chart/build-values.ts';
import { exitCodeDocument } from '../cli/exit-codes.ts';
import { STAGE_METRICS, UPDATES_METRIC } from '../../trainer-image/progress-server.ts';
import { buildContractReference } from './contract-reference.ts';
import { buildExperimentCrd, PLURAL } from './crd.ts';
import { GROUP } from './experiment.ts';
import { buildReference } from './reference.ts';

const HEADER = '# Generated from operator/api; `npm run generate` writes it anew.\n';

/** Generated files by their path in the repository. */
export function generatedFiles(): Map<string, string> {
  const crd = HEADER + dump(buildExperimentCrd(), { lineWidth: 120, noRefs: true });
  return new Map([
    [`crds/${GROUP}_${PLURAL}.yaml`, crd],
    [`helm/cdsp/files/crds/${GROUP}_${PLURAL}.yaml`, crd],
    ['helm/cdsp/values.yaml', buildValuesFile()],
    ['helm/cdsp/values.schema.json', buildValuesSchema()],
    ['docs/reference/experiment.md', buildReference()],
    ['docs/reference/stage-contract.md', buildContractReference([...STAGE_METRICS, UPDATES_METRIC])],
    ['docs/exit-codes.md', exitCodeDocument()],
  ]);
}

const absolute = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

function read(path: string): string | undefined {
  try {
    return readFileSync(absolute(path), 'utf8');
  } catch {
    return undefined;
  }
}

/** Paths of the generated files that are not as the schema has them. */
export function outdatedFiles(): string[] {
  return [...generatedFiles()].filter(([path, content]) => read(path) !== content).map(([path]) => path);
}

function main(): void {
  const outdated = outdatedFiles();
  if (process.argv.includes('--check')) {
    for (const path of outdated) console.error(`${path} is not up to date: npm run generate`);
    process.exitCode = outdated.length === 0 ? 0 : 1;
    return;
  }
  const files = generatedFiles();
  for (const path of outdated) {
    mkdirSync(dirname(absolute(path)), { recursive: true });
    writeFileSync(absolute(path), files.get(path) ?? '');
    console.log(`wrote ${path}`);
  }
}

if (import.meta.main) main();
