import { STAGES } from '../../../operator/api/experiment.ts';
import { countRequests, handOverParts, podTimes } from './audit-log.ts';
import type { AuditedRequest } from './audit-log.ts';
import { buildExperiment, createExperiment, createVolume, LAST_WORDS, OPERATOR_USER, startBench } from './bench.ts';
import type { Bench } from './bench.ts';
import { observe } from './observer.ts';
import type { ObservedPod } from './observer.ts';
import { startOperator } from './operator-process.ts';
import { median, percentile, sum } from './statistics.ts';
import { formatMs } from './table.ts';
import type { Finding } from './table.ts';
import { assertNoDuplicates, handOvers } from './timeline.ts';
import { partsNote, shares, two } from './words.ts';

const POD_MS = 300;

export interface OneAtATimeOptions {
  readonly entry: string;
  /** Each gives three hand-overs. */
  readonly experiments: number;
}

interface Run {
  readonly pods: readonly ObservedPod[];
  /** Since the first experiment, which does not count: code that has not run yet is slow. */
  readonly requests: readonly AuditedRequest[];
  /** The operator's own count of them, but watches and its lease. */
  readonly ownCount: number;
}

async function runAll(bench: Bench, experiments: number): Promise<Run> {
  const observer = await observe(bench);
  const names = Array.from({ length: experiments + 1 }, (_, index) => `one-${index}`);
  for (const name of names) await createVolume(bench, `cdsp-${name}`);
  const operator = await startOperator(bench);
  await operator.leading();
  const run = async (index: number) => {
    await createExperiment(bench, buildExperiment(names[index], index));
    await observer.until(`${names[index]} to succeed`, () => observer.count('Succeeded') === index + 1);
  };
  await run(0);
  const before = { own: await operator.requests(), logged: bench.requests().length };
  for (let index = 1; index < names.length; index++) await run(index);
  const ownCount = (await operator.requests()) - before.own;
  await observer.stop();
  const pods = observer.pods().filter(({ experiment }) => experiment !== names[0]);
  return { pods, requests: bench.requests().slice(before.logged), ownCount };
}

/** Experiments one after the other on an otherwise idle cluster: the hand-over by itself, and what an experiment costs in requests. */
export async function measureOneAtATime({ entry, experiments }: OneAtATimeOptions): Promise<Finding> {
  await using bench = await startBench({ entry, ends: [{ name: 'all', runMs: POD_MS, message: LAST_WORDS }] });
  const { pods, requests, ownCount } = await runAll(bench, experiments);
  assertNoDuplicates(pods);
  const seen = handOvers(pods).map(({ ms }) => ms);
  const logged = handOvers(podTimes(requests)).map(({ ms }) => ms);
  const { work, standing } = countRequests(requests, OPERATOR_USER);
  const each = sum(work.values()) / experiments;
  return {
    rows: [
      {
        measure: `hand-over pod Succeeded → next pod created, one experiment at a time, p50 / p99 of ${seen.length}`,
        measured: two(seen),
        toReach: '25 / 60 ms',
        isReached: median(seen) <= 25 && percentile(seen, 0.99) <= 60,
      },
      {
        measure: `API requests of the operator for an experiment of ${STAGES.length} stages, without watches and its lease`,
        measured: each.toFixed(1),
        toReach: 'at most 16',
        isReached: each <= 16,
      },
    ],
    notes: [
      `One at a time: timed on a watch of the benchmark's own; by the audit log (answer to the last status of a pod to answer to the creation of the next) ${two(logged)}. Highest ${formatMs(Math.max(...seen))}. ${partsNote(handOverParts(requests, OPERATOR_USER))}`,
      `Requests for an experiment, by the audit log: ${shares(work, experiments)}; by the operator's own count ${(ownCount / experiments).toFixed(1)}. Besides, for all ${experiments}: ${shares(standing)}.`,
    ],
  };
}
