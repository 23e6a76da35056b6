import { test } from 'uvu';
import { whyMissing } from './binaries.ts';
import type { ProgramName } from './binaries.ts';

export const CONTROL_PLANE: readonly ProgramName[] = ['etcd', 'kube-apiserver', 'kubectl'];
export const CONTROLLERS: readonly ProgramName[] = ['kube-controller-manager', 'kube-scheduler'];

/** A test of what finds its way through /proc. */
export function linuxTest(why: string, run: () => Promise<void> | void): void {
  if (process.platform === 'linux') test(why, run);
  else test.skip(why);
}

/** Why these programs cannot be had on this machine, or undefined. */
export function whyNoPrograms(programs: readonly ProgramName[]): string | undefined {
  return programs.map((program) => whyMissing(program)).find((reason) => reason !== undefined);
}

export type ClusterTest = (why: string, run: () => Promise<void> | void) => void;

/**
 * How a file declares tests that need a cluster. Where this machine cannot run one, they are skipped and the reason is printed,
 * once for a file; where CI=true they fail with it, so that a missing package is never taken for success.
 * @param reason why the machine cannot run them; undefined: it can
 */
export function clusterTests(reason: string | undefined): ClusterTest {
  if (reason === undefined) return (why, run) => void test(why, run);
  if (process.env.CI === 'true') {
    return (why) =>
      void test(why, () => {
        throw new Error(`a test that needs a cluster cannot run, and CI=true forbids skipping it: ${reason}`);
      });
  }
  console.log(`skipped: ${reason}`);
  return (why) => void test.skip(why);
}
