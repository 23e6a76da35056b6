import { attribute, execute, executeMany, tf, usesGpu, type Tensor, type Tensor4D } from '../tf.ts';

function poolAttributes(padding: 'EXPLICIT' | 'VALID', pixels: number[]) {
  return [
    attribute.float32('T'),
    attribute.ints('ksize', [1, 3, 3, 1]),
    attribute.ints('strides', [1, 2, 2, 1]),
    attribute.text('padding', padding),
    attribute.ints('explicit_paddings', pixels),
    attribute.text('data_format', 'NHWC'),
  ];
}
const POOL = poolAttributes('EXPLICIT', [0, 0, 1, 1, 1, 1, 0, 0]);
/** oneDNN's pooling remembers where each maximum was (its second output), which its gradient then need not look for again. */
const ONEDNN_POOL = [
  ...poolAttributes('VALID', []),
  attribute.bool('workspace_enabled', true),
  attribute.text('_kernel', 'MklNameChangeOp'),
];
const AROUND: [number, number][] = [
  [0, 0],
  [1, 1],
  [1, 1],
  [0, 0],
];
const LOWEST = -3.4028234663852886e38;

/** A pooling's value, and its gradient from dy and what was saved. */
export interface PoolKernel {
  forward(x: Tensor4D): Tensor[];
  gradient(dy: Tensor, x: Tensor4D, saved: Tensor[]): Tensor;
}

/** TensorFlow's own pooling, everywhere there. */
export const tensorflowPool: PoolKernel = {
  forward: (x) => [execute('MaxPool', POOL, [x])],
  gradient: (dy, x, [value]) => execute('MaxPoolGrad', POOL, [x, value, dy]),
};

const onednnPool: PoolKernel = {
  forward: (x) => executeMany('_MklNativeMaxPool', ONEDNN_POOL, [tf.pad(x, AROUND, LOWEST)], 2),
  gradient: (dy, x, [value, places]) => {
    // Of the padded x only the shape is read.
    const padded = execute<Tensor4D>('_MklNativeMaxPoolGrad', ONEDNN_POOL, [tf.pad(x, AROUND), value, dy, places]);
    return tf.slice(padded, [0, 1, 1, 0], x.shape);
  },
};

/** Whether TensorFlow has oneDNN's pooling. */
function hasOnednnPool(): boolean {
  try {
    tf.tidy(() => {
      const x: Tensor4D = tf.ones([1, 4, 4, 1]);
      const saved = onednnPool.forward(x);
      onednnPool.gradient(saved[0], x, saved);
    });
    return true;
  } catch {
    return false;
  }
}

let poolKernel: PoolKernel | undefined;

/** oneDNN's pooling on a CPU where TensorFlow has it (its gradient takes a twentieth of the time), else TensorFlow's own. Probed once. */
export function choosePoolKernel(): PoolKernel {
  poolKernel ??= !usesGpu && hasOnednnPool() ? onednnPool : tensorflowPool;
  return poolKernel;
}

/** 3×3 max pooling at stride 2, one pixel of padding on every side (torchvision's). */
export function maxPool(x: Tensor4D, kernel = choosePoolKernel()): Tensor4D {
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [Tensor4D, (tensors: Tensor[]) => void];
    const [value, ...places] = kernel.forward(input);
    save([input, value, ...places]);
    return { value, gradFunc: (dy: Tensor, saved: Tensor[]) => kernel.gradient(dy, saved[0] as Tensor4D, saved.slice(1)) };
  });
  return operation(x) as Tensor4D;
}
