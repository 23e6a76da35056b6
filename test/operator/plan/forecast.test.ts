import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../../operator/api/experiment.ts';
import { forecast } from '../../../operator/plan/forecast.ts';
import type { PreviousStage } from '../../../operator/plan/forecast.ts';
import type { Plan } from '../../../operator/plan/plan.ts';
import type { StageState } from '../../../operator/plan/stage-state.ts';
import { plan } from './experiments.ts';

const previousOf = (made: Plan): Map<StageName, PreviousStage> => new Map(made.stages.map((stage) => [stage.name, stage]));
const shorten = (made: Plan, observed: [StageName, StageState][], previous: Map<StageName, PreviousStage>, checkpoints: StageName[] = []) =>
  forecast(made, new Map(observed), previous, new Set(checkpoints)).map(({ stage, action, because }) => [stage, action, ...because]);
const cached: StageState = { kind: 'Cached' };

test('the first run', () => {
  assert.equal(shorten(plan(), [], new Map()), [
    ['classify', 'Run', 'not run yet'],
    ['pseudo-label', 'Run', 'not run yet'],
    ['segment', 'Run', 'not run yet'],
    ['evaluate', 'Run', 'not run yet'],
  ]);
});

test('an edit is named at the stage that it affects first, and followed downstream', () => {
  const edited = plan({ losses: { classDistance: { lambda: 7 } } });
  assert.equal(
    shorten(
      edited,
      [
        ['classify', cached],
        ['pseudo-label', cached],
      ],
      previousOf(plan()),
    ),
    [
      ['classify', 'Reuse', 'complete with the same inputs'],
      ['pseudo-label', 'Reuse', 'complete with the same inputs'],
      ['segment', 'Run', 'losses.classDistance.lambda 6 → 7'],
      ['evaluate', 'Run', 'segment changes'],
    ],
  );
});

test('a stage with edits of its own names them beside its upstream', () => {
  const edited = plan({ losses: { lorm: { enabled: false } }, evaluation: { flips: true } });
  const [, , segment, evaluate] = shorten(edited, [], previousOf(plan()));
  assert.equal(segment, ['segment', 'Run', 'losses.lorm removed']);
  assert.equal(evaluate, ['evaluate', 'Run', 'evaluation.flips false → true', 'segment changes']);
});

test('an unfinished stage goes on, a deleted one runs again', () => {
  const made = plan();
  const [classify, label] = shorten(made, [['classify', { kind: 'Interrupted', failures: 0, interruptions: 0 }]], previousOf(made), [
    'classify',
  ]);
  assert.equal(classify, ['classify', 'Resume', 'unfinished; goes on from its last checkpoint']);
  assert.equal(label, ['pseudo-label', 'Run', 'its artifacts are not there']);
});

const unfinished: StageState = { kind: 'Interrupted', failures: 0, interruptions: 0 };

test('an unfinished stage that has kept nothing begins again', () => {
  const made = plan();
  const [classify] = shorten(made, [['classify', unfinished]], previousOf(made));
  assert.equal(classify, ['classify', 'Run', 'unfinished, without a checkpoint; begins again']);
});

/** The stages of a run that ended in its first one. */
const previousUntil = (made: Plan, last: StageName): Map<StageName, PreviousStage> => {
  const count = made.stages.findIndex(({ name }) => name === last) + 1;
  return new Map(made.stages.map(({ name, key, inputs }, i) => [name, i < count ? { key, inputs } : { key }]));
};

test('stages that the latest run did not get to are not run yet, whatever was edited since', () => {
  const made = plan();
  const previous = previousUntil(made, 'classify');
  const rest = ['pseudo-label', 'segment', 'evaluate'].map((stage) => [stage, 'Run', 'not run yet']);
  assert.equal(shorten(made, [['classify', unfinished]], previous, ['classify']).slice(1), rest);
  const edited = plan({ classify: { epochs: 7 }, segment: { epochs: 60 } });
  assert.equal(shorten(edited, [], previous), [['classify', 'Run', 'classify.epochs 10 → 7'], ...rest]);
});

test('a stage whose whole folder is gone was run where a stage that rests on it has begun', () => {
  const made = plan();
  const previous = new Map(previousOf(made)).set('segment', { key: made.stages[2].key });
  assert.equal(
    shorten(
      made,
      [
        ['classify', cached],
        ['pseudo-label', cached],
        ['evaluate', cached],
      ],
      previous,
    )[2],
    ['segment', 'Run', 'its artifacts are not there'],
  );
});

test('the classifier is left out where the pseudo-labels are there without it', () => {
  const made = plan();
  const [classify, label] = shorten(made, [['pseudo-label', cached]], previousOf(made));
  assert.equal(classify, ['classify', 'Omit', 'its artifacts are not there, and no stage needs them']);
  assert.equal(label, ['pseudo-label', 'Reuse', 'complete with the same inputs']);
});

test('a stage that is left out says why', () => {
  const scribblesOnly = plan({ losses: { pseudoLabel: { enabled: false }, classDistance: { enabled: false }, lorm: { enabled: false } } });
  const [first] = shorten(scribblesOnly, [], new Map());
  assert.equal(first, ['classify', 'Omit', 'no loss term uses pseudo-labels']);
});

test.run();
