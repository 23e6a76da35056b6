// Where pure code ends: these files decide, others act. Time, chance and files come in as arguments.
import { globSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const PURE = ['operator/api/**/*.ts', 'operator/plan/**/*.ts'];
/** Programs among them. */
const EXCEPT = ['operator/api/generate.ts'];

const FORBIDDEN: [what: string, pattern: RegExp][] = [
  ['files', /from 'node:(fs|fs\/promises)'/],
  ['processes', /from 'node:child_process'/],
  ['the network', /from '(node:(http|https|net)|express)'/],
  ['the clock', /\bDate\.now\(|new Date\(\)|\bperformance\.now\(/],
  ['chance', /\bMath\.random\(|\brandomUUID\(/],
  ['the environment', /\bprocess\.(env|argv|pid|cwd)\b/],
  ['code that acts', /from '[^']*\/(local|cli)\//],
];

const files = PURE.flatMap((pattern) => globSync(pattern)).filter((file) => !EXCEPT.includes(file));

test('there are pure files', () => assert.ok(files.length > 10));

for (const [what, pattern] of FORBIDDEN) {
  test(`pure files do not reach for ${what}`, () => {
    assert.equal(
      files.filter((file) => pattern.test(readFileSync(file, 'utf8'))),
      [],
    );
  });
}

test.run();
