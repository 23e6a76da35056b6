import { getPrograms, PROGRAMS, whyMissing } from './cluster/binaries.ts';

/**
 * What a test file needs: nothing but this checkout (unit), a real API server whose pods, if any, are played (api), or a node with real pods
 * and images, or whole trainings (e2e).
 */
export const TIERS = ['unit', 'api', 'e2e'] as const;
export type Tier = (typeof TIERS)[number];

const API = /^test\/(api|cluster|faults|helm|prometheus)\//;
const E2E = /^test\/(e2e|e2e-cluster|images)\/|^test\/cluster\/(node|images)\.test\.ts$|^test\/contract\/job-/;

export function tierOf(file: string): Tier {
  const path = file.replaceAll('\\', '/');
  if (E2E.test(path)) return 'e2e';
  return API.test(path) ? 'api' : 'unit';
}

/** Builds the clusters' programs once, with a line for each, before files wait for them side by side. */
export async function prepareTiers(tiers: ReadonlySet<Tier>, say: (line: string) => void): Promise<void> {
  if (!tiers.has('api') && !tiers.has('e2e')) return;
  // Where they cannot be had, each file says so and is skipped, or fails where CI=true.
  await getPrograms(
    PROGRAMS.filter((program) => whyMissing(program) === undefined),
    { say },
  );
}
