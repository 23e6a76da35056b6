// Where pure code ends: these files decide, others act. Time, chance and files come in as arguments.
import { globSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const PURE = [
  'operator/api/**/*.ts',
  'operator/plan/**/*.ts',
  'operator/controller/{build,parse}-*.ts',
  'operator/controller/{borrow-status,lost-artifacts,observe,observe-pod,pod-volumes,references,trainer-image}.ts',
  'operator/controller/{check-experiment,cluster-experiment,cluster-findings,image-patterns,pinned-image}.ts',
  'operator/controller/{caches,defined,names,plain-text,resource-paths,told-values}.ts',
  'operator/chart/*.ts',
  'operator/duration.ts',
  'operator/metrics/{dashboard,dashboard-panels,error-reason,experiment-metrics,exposition}.ts',
  'operator/cli/progress/{bar,format,line-reporter,rate,stage-state}.ts',
  'operator/cli/{table,style}.ts',
  'operator/cli/reproduce/{reproduction,cluster-reproduction,local-reproduction}.ts',
  'operator/import/{class-names,colour-table,strokes,value-map}.ts',
  'operator/report/{chart-parts,format,gallery-section,history,html,pixels,result-charts,sections,theme,training-charts}.ts',
  'trainer-image/data/{augment,brush,degrade,distance-maps,draw-scribbles,example-choice,labels,noise,random,stroke-path}.ts',
  'trainer-image/{evaluation,losses}/**/*.ts',
  'trainer-image/model/*.ts',
  'trainer-image/training/{gradients,schedule,sgd}.ts',
];
/** Programs among them. */
const EXCEPT = ['operator/api/generate.ts'];

const FORBIDDEN: [what: string, pattern: RegExp][] = [
  ['files', /from 'node:(fs|fs\/promises)'/],
  ['processes', /from 'node:child_process'/],
  ['the network', /from '(node:(http|https|net)|express)'/],
  ['values of the Kubernetes client', /^import (?!type )[^;]*from '@kubernetes\/client-node'/m],
  ['the clock', /\bDate\.now\(|new Date\(\)|\bperformance\.now\(/],
  ['chance', /\bMath\.random\(|\brandomUUID\(/],
  ['the environment', /\bprocess\.(env|argv|pid|cwd)\b/],
  ['code that acts', /^import (?!type )[^;]*from '[^']*\/(local|cli)\//m],
];

const files = PURE.flatMap((pattern) => globSync(pattern)).filter((file) => !EXCEPT.includes(file));

for (const pattern of PURE) test(`there are pure files: ${pattern}`, () => assert.ok(globSync(pattern).length > 0));

test('what says of itself that it is pure is looked at', () => {
  const saying = globSync('{operator,trainer-image}/**/*.ts').filter((file) => /\* .*\bPure\b[.:;,]/.test(readFileSync(file, 'utf8')));
  assert.ok(saying.length > 0);
  assert.equal(
    saying.filter((file) => !files.includes(file)),
    [],
  );
});

for (const [what, pattern] of FORBIDDEN) {
  test(`pure files do not reach for ${what}`, () => {
    assert.equal(
      files.filter((file) => pattern.test(readFileSync(file, 'utf8'))),
      [],
    );
  });
}

test.run();
