import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { matchesImagePattern } from '../../../operator/controller/image-patterns.ts';

const cases: [pattern: string, image: string, matches: boolean][] = [
  ['registry.example.org/lab/*', 'registry.example.org/lab/trainer:1', true],
  ['registry.example.org/lab/*', 'registry.example.org/lab/a/b@sha256:00', true],
  ['registry.example.org/lab/*', 'registry.example.org/lab/', true],
  ['registry.example.org/lab/*', 'registry.example.org/lab', false],
  ['registry.example.org/lab/*', 'registry.example.org/other/trainer:1', false],
  ['registry.example.org/lab/*', 'elsewhere.net/registry.example.org/lab/x', false],
  ['registry.example.org/lab/*', 'registryXexample.org/lab/x', false],
  ['registry.example.org/lab/*', 'Registry.example.org/lab/x', false],
  ['registry.example.org*', 'registry.example.org.elsewhere.net/x', true],
  ['*', 'anything', true],
  ['**', 'anything', true],
  ['', 'anything', false],
  ['trainer:1', 'trainer:1', true],
  ['trainer:1', 'trainer:12', false],
  ['*/trainer:*', 'a/b/trainer:1', true],
  ['*/trainer:*', 'trainer:1', false],
  ['*/trainer:*@sha256:*', 'a/trainer:1', false],
  ['a*a', 'a', false],
  ['ab*bc', 'abc', false],
  ['a*b*a', 'aba', true],
  ['a*bb*a', 'aba', false],
  ['(a|b)+', '(a|b)+', true],
  ['(a|b)+', 'ab', false],
  ['.*', 'x', false],
];
for (const [pattern, image, matches] of cases) {
  test(`"${pattern}" ${matches ? 'allows' : 'does not allow'} "${image}"`, () => assert.is(matchesImagePattern(image, pattern), matches));
}

/** What a pattern means, said the slow way: at each star, take any number of signs. */
function means(image: string, pattern: string): boolean {
  if (pattern === '') return image === '';
  if (pattern[0] !== '*') return image[0] === pattern[0] && means(image.slice(1), pattern.slice(1));
  return Array.from({ length: image.length + 1 }, (_, taken) => taken).some((taken) => means(image.slice(taken), pattern.slice(1)));
}

test('a pattern means what it says, whatever signs it holds', () => {
  const signs = fc.constantFrom('a', 'b', '*', '.', '+', '\\', '[', '$');
  const text = (units: fc.Arbitrary<string>, maxLength: number) => fc.array(units, { maxLength }).map((all) => all.join(''));
  fc.assert(
    fc.property(
      text(
        signs.filter((sign) => sign !== '*'),
        9,
      ),
      text(signs, 7),
      (image, pattern) => {
        assert.is(matchesImagePattern(image, pattern), means(image, pattern));
      },
    ),
    { numRuns: 2000 },
  );
});

test('a reference is found by each pattern that puts stars in place of parts of it', () => {
  const parts = fc.array(fc.tuple(fc.string({ maxLength: 9 }), fc.boolean()), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(parts, (all) => {
      const image = all.map(([part]) => part).join('');
      const pattern = all.map(([part, isHidden]) => (isHidden || part.includes('*') ? '*' : part)).join('');
      assert.ok(matchesImagePattern(image, pattern));
    }),
  );
});

test('no pattern takes long: what has a regular expression try for ages is refused in no more looks than it has parts', () => {
  let looks = 0;
  const image = new Proxy(new String('a'.repeat(1024)), {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === 'indexOf') looks++;
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  }) as unknown as string;
  assert.not(matchesImagePattern(image, `${'a*'.repeat(500)}b*`));
  assert.is(looks, 500);
});

test.run();
