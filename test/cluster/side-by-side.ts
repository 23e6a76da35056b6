import type { ClusterTest } from './requirements.ts';

/**
 * Tests that run all at once, each awaited by its own name: for those that share a cluster, get in nobody's way, and spend most of their
 * time waiting, as for a Job that is about to try again. The first one starts them, after test.before.
 */
export function sideBySide(declare: ClusterTest): ClusterTest {
  const runs: (() => Promise<void> | void)[] = [];
  let started: readonly Promise<void>[] | undefined;
  function startAll(): readonly Promise<void>[] {
    started ??= runs.map(async (run) => run());
    // One may fail before its turn to be awaited.
    for (const run of started) run.catch(() => {});
    return started;
  }
  return (why, run) => {
    const index = runs.push(run) - 1;
    declare(why, () => startAll()[index]);
  };
}
