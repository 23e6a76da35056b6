// The operator's numbers, on a real control plane with simulated pods, as one table.
//   npm run bench:operator -- [--only NAME,…] [--entry FILE] [--experiments 200] [--handOvers 102] [--kills 12] [--finished 9900] [--pods 12000]
// Names: the keys of MEASURES below. Without --entry the operator is bundled as for its image.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAllAtOnce, measureNextJobOnly } from './all-at-once.ts';
import type { AllAtOnceOptions } from './all-at-once.ts';
import { measureKills } from './kills.ts';
import { measureOneAtATime } from './one-at-a-time.ts';
import { measureTenThousand } from './ten-thousand.ts';
import { buildTable } from './table.ts';
import type { Finding } from './table.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    entry: { type: 'string' },
    experiments: { type: 'string', default: '200' },
    handOvers: { type: 'string', default: '102' },
    kills: { type: 'string', default: '12' },
    finished: { type: 'string', default: '9900' },
    // The controller manager's --terminated-pod-gc-threshold, 12,500 by default, keeps no more.
    pods: { type: 'string', default: '12000' },
  },
});
const ROOT = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'cdsp-bench-operator-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** The operator as its image holds it. */
function bundle(): string {
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.ts'), folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(folder, 'operator.mjs');
}
const entry = options.entry === undefined ? bundle() : resolve(options.entry);

const atOnce = (how: Pick<AllAtOnceOptions, 'controllerManager' | 'claims'>, measure = measureAllAtOnce) =>
  measure({ entry, experiments: Number(options.experiments), ...how });

const tenThousand = (pods: number) => measureTenThousand({ entry, finished: Number(options.finished), unfinished: 100, pods });

const MEASURES: Readonly<Record<string, () => Promise<Finding>>> = {
  'one-at-a-time': () => measureOneAtATime({ entry, experiments: Math.ceil(Number(options.handOvers) / 3) }),
  'at-once': () => atOnce({ controllerManager: 'raised limits', claims: 'own' }),
  'at-once-shared': () => atOnce({ controllerManager: 'raised limits', claims: 'shared' }),
  'at-once-default': () => atOnce({ controllerManager: 'default limits', claims: 'own' }),
  'at-once-default-shared': () => atOnce({ controllerManager: 'default limits', claims: 'shared' }),
  'next-job-only': () => atOnce({ controllerManager: 'raised limits', claims: 'own' }, measureNextJobOnly),
  'next-job-only-shared': () => atOnce({ controllerManager: 'raised limits', claims: 'shared' }, measureNextJobOnly),
  kills: () => measureKills({ entry, repetitions: Number(options.kills) }),
  'ten-thousand': () => tenThousand(Number(options.pods)),
  // As long after their end as ttlSecondsAfterFinished says.
  'ten-thousand-without-jobs': () => tenThousand(0),
};

const names = options.only?.split(',') ?? Object.keys(MEASURES);
const unknown = names.filter((name) => !(name in MEASURES));
if (unknown.length > 0) throw new Error(`--only: there is no ${unknown.join(', ')}; there are ${Object.keys(MEASURES).join(', ')}`);

const load = () => loadavg()[0].toFixed(1);
const loads = [load()];
const findings: Finding[] = [];
for (const name of names) {
  process.stderr.write(`${name} …\n`);
  const finding = await MEASURES[name]();
  // Half an hour of measuring that is ended has told what it had.
  process.stderr.write(`${buildTable(finding.rows)}\n`);
  findings.push(finding);
  loads.push(load());
}
const [cpu] = cpus();
const machine = `${cpus().length} × ${cpu.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; load before, between and after ${loads.join(', ')}.`;
console.log(
  [
    machine,
    '',
    buildTable(findings.flatMap(({ rows }) => rows)),
    '',
    ...findings.flatMap(({ notes }) => notes).map((note) => `- ${note}`),
  ].join('\n'),
);
