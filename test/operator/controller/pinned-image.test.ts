import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isPinnedOf } from '../../../operator/controller/pinned-image.ts';

const [A, B] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
const cases: [why: string, image: string, trusted: string, expected: boolean][] = [
  ['a digest of the repository whose tag is trusted', `r.net/lab/t@${A}`, 'r.net/lab/t:1', true],
  ['the same with a tag, which counts for nothing beside it', `r.net/lab/t:2@${A}`, 'r.net/lab/t:1', true],
  ['a registry with a port', `r.net:5000/t@${A}`, 'r.net:5000/t:1', true],
  ['a registry on this machine', `localhost/t@${A}`, 'localhost/t', true],
  ['Docker Hub, named by the node and not by the configuration', `docker.io/lab/t@${A}`, 'lab/t:1', true],
  ['its own images, which it writes with a folder', `docker.io/library/t@${A}`, 't:1', true],
  ['the trusted digest, written without its tag', `r.net/t@${A}`, `r.net/t:1@${A}`, true],
  ['another digest than the trusted one', `r.net/t@${B}`, `r.net/t:1@${A}`, false],
  ['the trusted digest of another repository', `r.net/u@${A}`, `r.net/t@${A}`, false],
  ['another tag', 'r.net/t:2', 'r.net/t:1', false],
  ['no tag', 'r.net/t', 'r.net/t:1', false],
  ['a repository beside it', `r.net/t2@${A}`, 'r.net/t:1', false],
  ['a repository below it', `r.net/t/u@${A}`, 'r.net/t:1', false],
  ['a folder above it', `r.net/x/t@${A}`, 'r.net/t:1', false],
  ['another port', `r.net:5001/t@${A}`, 'r.net:5000/t:1', false],
  ['another registry', `r.net/t@${A}`, 't:1', false],
  ['upper case', `r.net/T@${A}`, 'r.net/t:1', false],
  ['two tags', `r.net/t:1:1@${A}`, 'r.net/t:1', false],
];
for (const [why, image, trusted, expected] of cases) {
  test(`${expected ? 'trusted' : 'not trusted'}: ${why}`, () => assert.is(isPinnedOf(image, trusted), expected));
}

test.run();
