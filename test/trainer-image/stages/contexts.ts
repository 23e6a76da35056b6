// Contexts for stages that run in the test's own process.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ExperimentSpec, type ExperimentInput, type StageName } from '../../../operator/api/experiment.ts';
import type { StageEvent, StageInput } from '../../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import type { Shard } from '../../../trainer-image/stages/shard.ts';
import { createStageContext, type StageContext } from '../../../trainer-image/stages/stage-context.ts';

export interface TestStage {
  readonly stage: StageName;
  readonly spec: ExperimentInput['spec'];
  readonly upstream?: StageInput['upstream'];
  /** Whether the stage is told to stop; asked again and again. */
  readonly isStopping?: () => boolean;
  readonly shard?: Shard;
}

/** A stage's context with a folder of its own under the storage root, and the events that it reports. */
export function makeContext(
  root: string,
  { stage, spec, upstream = {}, isStopping = () => false, shard = { number: 0, of: 1 } }: TestStage,
) {
  const output = join(root, 'stages', stage, 'key');
  mkdirSync(join(output, ARTIFACTS.checkpoint), { recursive: true });
  const events: StageEvent[] = [];
  const input: StageInput = { version: 'v1', experiment: 'test', stage, key: 'key', spec: ExperimentSpec.parse(spec), upstream, output };
  const ports = {
    emit: (event: StageEvent) => void events.push(event),
    isStopping,
    now: () => events.length * 1000,
    process: randomUUID(),
    shard,
  };
  const context: StageContext = createStageContext(input, ports);
  return { context, events, output };
}

/** The error that a promise is rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('ended without an error');
    },
    (error: unknown) => error as Error,
  );
}
