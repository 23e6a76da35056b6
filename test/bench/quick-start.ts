// The quick start as `npm start` runs it after set-up, in an empty folder: wall time, memory of all its processes together, mIoU.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../..');
const { values: options } = parseArgs({ options: { experiment: { type: 'string', default: 'examples/quickstart.yaml' } } });

interface ProcessRow {
  readonly parent: number;
  readonly residentKib: number;
}

function readProcesses(): Map<number, ProcessRow> {
  const rows = new Map<number, ProcessRow>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const field = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
      rows.set(Number(name), { parent: field('PPid'), residentKib: field('VmRSS') });
    } catch {
      // The process ended while it was looked at.
    }
  }
  return rows;
}

/** Resident memory of a process and everything below it, in MiB; shared pages count once for each. */
function treeMebibytes(root: number): number {
  const rows = readProcesses();
  const isBelow = (id: number): boolean => id === root || (rows.has(id) && isBelow((rows.get(id) as ProcessRow).parent));
  return [...rows].filter(([id]) => isBelow(id)).reduce((sum, [, { residentKib }]) => sum + residentKib / 1024, 0);
}

const storage = mkdtempSync(join(tmpdir(), 'cdsp-quick-start-'));
try {
  const started = performance.now();
  const child = spawn(join(ROOT, 'bin/cdsp'), ['run', join(ROOT, options.experiment), '--storage', storage, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  let peak = 0;
  const sampling = setInterval(() => (peak = Math.max(peak, treeMebibytes(child.pid as number))), 250);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  clearInterval(sampling);
  if (code !== 0) throw new Error(`cdsp run ended with ${code}: ${output.split('\n').at(-2)}`);
  const summary = JSON.parse(output.trim().split('\n').at(-1) as string) as {
    stages: { stage: string; seconds: number }[];
    evaluation: { classes: string[]; iou: (number | null)[]; meanIou: number };
  };
  console.log(`machine: ${cpus().length} × ${cpus()[0].model.trim()}; load at the end ${loadavg()[0].toFixed(1)}`);
  console.log(`wall time   ${((performance.now() - started) / 1000).toFixed(0)} s   (target: under 300)`);
  console.log(`peak memory ${peak.toFixed(0)} MiB, all processes   (target: under 2500)`);
  console.log(`mIoU        ${(100 * summary.evaluation.meanIou).toFixed(1)} %   (target: above 60)`);
  console.log(summary.evaluation.classes.map((name, k) => `${name} ${(100 * (summary.evaluation.iou[k] ?? 0)).toFixed(1)}`).join(', '));
  console.log(summary.stages.map(({ stage, seconds }) => `${stage} ${seconds?.toFixed(0)} s`).join(', '));
} finally {
  rmSync(storage, { recursive: true, force: true });
}
