import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../../operator/api/experiment.ts';
import { EXIT } from '../../../operator/api/stage-contract.ts';
import { blamedStage, decide, MAX_INTERRUPTIONS, retryDelay } from '../../../operator/plan/decide.ts';
import type { Outcome, StageReason } from '../../../operator/plan/decide.ts';
import { planUntil } from '../../../operator/plan/plan.ts';
import type { Plan } from '../../../operator/plan/plan.ts';
import { isComplete } from '../../../operator/plan/stage-state.ts';
import type { StageState } from '../../../operator/plan/stage-state.ts';
import { plan } from './experiments.ts';

const NOW = 1_000_000;
const complete: StageState = { kind: 'Complete' };
const cached: StageState = { kind: 'Cached' };
const running: StageState = { kind: 'Running', failures: 0, interruptions: 0 };
const interrupted = (interruptions = 1, failures = 0): StageState => ({ kind: 'Interrupted', failures, interruptions });
const failed = (failures: number, exitCode: number = EXIT.failure, at = 0): StageState => ({
  kind: 'Failed',
  failures,
  interruptions: 0,
  exitCode,
  message: 'boom',
  at,
});

interface Case {
  readonly why: string;
  readonly spec?: Record<string, unknown>;
  readonly observed: Partial<Record<StageName, StageState>>;
  readonly start?: StageName[];
  readonly stop?: StageName[];
  readonly outcome: Outcome;
  readonly done?: boolean;
  readonly reasons: StageReason[];
}

const cases: Case[] = [
  {
    why: 'the first stage starts, the others wait',
    observed: {},
    start: ['classify'],
    outcome: 'Active',
    reasons: ['Starting', 'WaitsForUpstream', 'WaitsForUpstream', 'WaitsForUpstream'],
  },
  {
    why: 'nothing starts while a stage runs',
    observed: { classify: running },
    outcome: 'Active',
    reasons: ['Running', 'WaitsForUpstream', 'WaitsForUpstream', 'WaitsForUpstream'],
  },
  {
    why: 'a cached stage hands over like a complete one',
    observed: { classify: cached, 'pseudo-label': complete },
    start: ['segment'],
    outcome: 'Active',
    reasons: ['Cached', 'Complete', 'Starting', 'WaitsForUpstream'],
  },
  {
    why: 'everything complete is success',
    observed: { classify: cached, 'pseudo-label': cached, segment: complete, evaluate: complete },
    outcome: 'Succeeded',
    done: true,
    reasons: ['Cached', 'Cached', 'Complete', 'Complete'],
  },
  {
    why: 'an unfinished stage goes on',
    observed: { classify: cached, 'pseudo-label': cached, segment: interrupted(0) },
    start: ['segment'],
    outcome: 'Active',
    reasons: ['Cached', 'Cached', 'Resuming', 'WaitsForUpstream'],
  },
  {
    why: 'a failed stage is retried after its delay',
    observed: { classify: failed(1, 1, NOW - retryDelay(1)) },
    start: ['classify'],
    outcome: 'Active',
    reasons: ['Retrying', 'WaitsForUpstream', 'WaitsForUpstream', 'WaitsForUpstream'],
  },
  {
    why: 'and not before',
    observed: { classify: failed(1, 1, NOW - 1) },
    outcome: 'Active',
    reasons: ['WaitsForRetry', 'WaitsForUpstream', 'WaitsForUpstream', 'WaitsForUpstream'],
  },
  {
    why: 'retries are used up',
    observed: { classify: failed(3) },
    outcome: 'Failed',
    done: true,
    reasons: ['RetriesExhausted', 'UpstreamFailed', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'no retries at all',
    spec: { retries: 0 },
    observed: { classify: failed(1) },
    outcome: 'Failed',
    done: true,
    reasons: ['RetriesExhausted', 'UpstreamFailed', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'bad input is never retried',
    observed: { classify: complete, 'pseudo-label': failed(1, EXIT.badInput) },
    outcome: 'Failed',
    done: true,
    reasons: ['Complete', 'BadInput', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'what set-up did not provide is never waited for',
    observed: { classify: failed(1, EXIT.unavailable) },
    outcome: 'Failed',
    done: true,
    reasons: ['Unavailable', 'UpstreamFailed', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'where the artifacts before it are lost, a stage is not tried again as it is',
    observed: { classify: complete, 'pseudo-label': failed(1, EXIT.upstreamMissing) },
    outcome: 'Failed',
    done: true,
    reasons: ['Complete', 'UpstreamMissing', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'a stage that is killed again and again without getting further is given up',
    observed: { classify: interrupted(MAX_INTERRUPTIONS) },
    outcome: 'Failed',
    done: true,
    reasons: ['InterruptedTooOften', 'UpstreamFailed', 'UpstreamFailed', 'UpstreamFailed'],
  },
  {
    why: 'suspend stops what runs',
    spec: { suspend: true },
    observed: { classify: complete, 'pseudo-label': running },
    stop: ['pseudo-label'],
    outcome: 'Suspended',
    reasons: ['Complete', 'Stopping', 'Suspended', 'Suspended'],
  },
  {
    why: 'suspend starts nothing',
    spec: { suspend: true },
    observed: { classify: complete, 'pseudo-label': interrupted() },
    outcome: 'Suspended',
    done: true,
    reasons: ['Complete', 'Suspended', 'Suspended', 'Suspended'],
  },
  {
    why: 'what is complete has succeeded, suspended or not',
    spec: { suspend: true },
    observed: { classify: cached, 'pseudo-label': cached, segment: cached, evaluate: cached },
    outcome: 'Succeeded',
    done: true,
    reasons: ['Cached', 'Cached', 'Cached', 'Cached'],
  },
  {
    why: 'a stage whose own artifacts are there needs no upstream ones',
    observed: { classify: { kind: 'Pending' }, 'pseudo-label': cached, segment: cached },
    start: ['evaluate'],
    outcome: 'Active',
    reasons: ['NotNeeded', 'Cached', 'Cached', 'Starting'],
  },
  {
    why: 'without the classifier, which serves the pseudo-labels alone, everything is complete',
    observed: { 'pseudo-label': cached, segment: cached, evaluate: complete },
    outcome: 'Succeeded',
    done: true,
    reasons: ['NotNeeded', 'Cached', 'Cached', 'Complete'],
  },
  {
    why: 'it is trained again where the pseudo-labels are to be made again',
    observed: { segment: cached, evaluate: cached },
    start: ['classify'],
    outcome: 'Active',
    reasons: ['Starting', 'WaitsForUpstream', 'Cached', 'Cached'],
  },
  {
    why: 'it is trained again where it is there but damaged',
    observed: { classify: interrupted(0), 'pseudo-label': cached, segment: cached, evaluate: cached },
    start: ['classify'],
    outcome: 'Active',
    reasons: ['Resuming', 'Cached', 'Cached', 'Cached'],
  },
  {
    why: 'the model is made again, although its scores are there',
    observed: { 'pseudo-label': cached, evaluate: cached },
    start: ['segment'],
    outcome: 'Active',
    reasons: ['NotNeeded', 'Cached', 'Starting', 'Cached'],
  },
];
for (const { why, spec = {}, observed, start = [], stop = [], outcome, done = false, reasons } of cases) {
  test(why, () => {
    const decision = decide(plan(spec), new Map(Object.entries(observed) as [StageName, StageState][]), NOW);
    assert.equal(
      decision.reasons.map(({ reason }) => reason),
      reasons,
    );
    const { start: starts, stop: stops, outcome: result, done: isDone } = decision;
    assert.equal({ starts, stops, result, isDone }, { starts: start, stops: stop, result: outcome, isDone: done });
    assert.is(blamedStage(decision) !== undefined, outcome === 'Failed', 'a failure has a stage to blame');
  });
}

test('the classifier is trained where the plan ends with it', () => {
  assert.equal(decide(planUntil(plan(), 'classify'), new Map(), NOW).start, ['classify']);
});

test('the time of a retry is told', () => {
  const decision = decide(plan(), new Map([['classify', failed(2, 1, NOW)]]), NOW);
  assert.is(decision.wakeAt, NOW + 2000);
});

test('delays double up to a minute', () => {
  assert.equal([1, 2, 3, 4, 10, 100].map(retryDelay), [1000, 2000, 4000, 8000, 60_000, 60_000]);
});

/** What may happen to a stage that was started. */
type Event = 'completes' | 'fails' | 'badInput' | 'isKilled' | 'isKilledAfterProgress';
const events = fc.constantFrom<Event[]>('completes', 'fails', 'badInput', 'isKilled', 'isKilledAfterProgress');

function next(state: Extract<StageState, { kind: 'Running' }>, event: Event, at: number): StageState {
  const { failures, interruptions } = state;
  switch (event) {
    case 'completes':
      return complete;
    case 'fails':
      return failed(failures + 1, EXIT.failure, at);
    case 'badInput':
      return failed(failures + 1, EXIT.badInput, at);
    case 'isKilled':
      return interrupted(interruptions + 1, failures);
    case 'isKilledAfterProgress':
      return interrupted(1, failures);
    default:
      return event satisfies never;
  }
}

/** Plays a run against the events, then lets everything complete, and checks the invariants on the way. */
function play(made: Plan, initial: [StageName, StageState][], happenings: Event[]): Outcome {
  const observed = new Map(initial);
  const counted = new Map<StageName, number>();
  let now = NOW;
  const limit = 40 + happenings.length * 2;
  for (let round = 0; round < limit; round++) {
    const decision = decide(made, observed, now);
    for (const name of decision.start) {
      const stage = made.stages.find((candidate) => candidate.name === name);
      const state = observed.get(name);
      assert.ok(state === undefined || !isComplete(state), `${name} is complete and starts`);
      assert.not(state?.kind === 'Running', `${name} runs and starts`);
      assert.not(state?.kind === 'Failed' && state.exitCode === EXIT.badInput, `${name} starts after bad input`);
      const labels = observed.get('pseudo-label') ?? { kind: 'Pending' };
      assert.not(name === 'classify' && state === undefined && isComplete(labels), 'classify starts although nothing needs it');
      assert.not(made.suspend, `${name} starts although suspended`);
      assert.ok(
        stage?.dependsOn.every((other) => isComplete(observed.get(other) ?? { kind: 'Pending' })),
        `${name} starts too early`,
      );
      const before = state?.kind === 'Failed' || state?.kind === 'Interrupted' ? state : { failures: 0, interruptions: 0 };
      observed.set(name, { kind: 'Running', failures: before.failures, interruptions: before.interruptions });
    }
    for (const name of decision.stop) {
      assert.is(observed.get(name)?.kind, 'Running');
      observed.set(name, interrupted());
    }
    if (decision.done) {
      assert.ok(
        [...observed.values()].every(({ kind }) => kind !== 'Running'),
        'done while a stage runs',
      );
      assert.is.not(decision.outcome, 'Active');
      return decision.outcome;
    }
    const current = [...observed].filter(
      (entry): entry is [StageName, Extract<StageState, { kind: 'Running' }>] => entry[1].kind === 'Running',
    );
    for (const [name, state] of current) {
      const event = happenings.shift() ?? 'completes';
      if (event === 'fails') counted.set(name, (counted.get(name) ?? 0) + 1);
      assert.ok((counted.get(name) ?? 0) <= made.retries + 1, `${name} failed more often than retries allow`);
      observed.set(name, next(state, event, now));
    }
    now = Math.max(now + 1, decision.wakeAt ?? 0);
  }
  throw new Error('does not end');
}

const initialStates = fc.array(
  fc.tuple(fc.constantFrom<StageName[]>('classify', 'pseudo-label', 'segment', 'evaluate'), fc.constantFrom(cached, interrupted(0))),
);

test('whatever happens: nothing starts too early or too often, what is complete never starts, and it ends', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), fc.nat(4), fc.boolean(), initialStates, (happenings, retries, suspend, initial) => {
      const outcome = play({ ...plan(), retries, suspend }, initial, [...happenings]);
      assert.ok(['Succeeded', 'Failed', 'Suspended'].includes(outcome));
    }),
    { numRuns: 500 },
  );
});

test('without trouble every run succeeds', () => {
  fc.assert(fc.property(initialStates, (initial) => assert.is(play(plan(), initial, []), 'Succeeded')));
});

test('interruptions that come after progress are never too many', () => {
  const happenings = Array.from({ length: 50 }, (): Event => 'isKilledAfterProgress');
  assert.is(play(plan(), [], happenings), 'Succeeded');
});

test.run();
