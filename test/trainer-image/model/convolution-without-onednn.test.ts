// Other processors have no oneDNN, and their gradient kernels refuse dilations. TensorFlow reads the switch when it loads, which
// tests of this process alone see.
import { test } from 'uvu';
import * as assert from 'uvu/assert';

process.env.TF_ENABLE_ONEDNN_OPTS = '0';
const { usesGpu } = await import('../../../trainer-image/tf.ts');
const convolution = await import('../../../trainer-image/model/convolution.ts');
const { testConvolutions } = await import('./convolution-cases.ts');

test('without oneDNN there are no dilated gradients, and that is found out', () => {
  assert.is(convolution.hasDilatedGradients(), usesGpu);
});

testConvolutions('without oneDNN', convolution);

test.run();
