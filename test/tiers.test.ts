import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tierOf } from './tiers.ts';

const cases: [file: string, tier: string][] = [
  ['test/operator/plan/decide.test.ts', 'unit'],
  ['test/contract/local-stage-runner.test.ts', 'unit'],
  ['test/contract/job-stage-runner.test.ts', 'e2e'],
  ['test/api/resource.test.ts', 'api'],
  ['test/cluster/control-plane.test.ts', 'api'],
  ['test/cluster/node.test.ts', 'e2e'],
  ['test/helm/chart.test.ts', 'api'],
  ['test/e2e-cluster/quickstart.test.ts', 'e2e'],
  ['test/e2e/resume.test.ts', 'e2e'],
];
for (const [file, tier] of cases) test(`${file} is of tier ${tier}`, () => assert.is(tierOf(file), tier));

test.run();
