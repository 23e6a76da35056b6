import { attribute, execute, tf, usesGpu, type Attribute, type Tensor, type Tensor4D } from '../tf.ts';

/**
 * Convolutions by TensorFlow's own kernels, with the gradients that tfjs refuses (dilations).
 *
 * Padding is symmetric as in PyTorch (a number of pixels on every side), or 'same' as in TensorFlow. TensorFlow's EXPLICIT
 * padding would do for the first, but its eager mode then leaves oneDNN for much slower kernels that know no dilation
 * (measured: 3 times slower gradients). So symmetric padding becomes SAME where the two agree, and Pad + VALID elsewhere.
 */
export interface ConvGeometry {
  readonly stride: number;
  readonly dilation: number;
  /** Pixels on every side, or 'same' (TensorFlow's rule, asymmetric at stride 2). */
  readonly padding: number | 'same';
}

const shapeTensors = new Map<string, Tensor>();

/** A shape as an int32 tensor, made once for each shape. */
function shapeTensor(shape: readonly number[]): Tensor {
  const key = shape.join();
  let tensor = shapeTensors.get(key);
  if (tensor === undefined) {
    tensor = tf.keep(tf.tensor1d([...shape], 'int32'));
    shapeTensors.set(key, tensor);
  }
  return tensor;
}

function convAttributes({ stride, dilation }: ConvGeometry, padding: 'SAME' | 'VALID', depthwise: boolean): Attribute[] {
  const attributes = [
    attribute.float32('T'),
    attribute.ints('strides', [1, stride, stride, 1]),
    attribute.text('padding', padding),
    attribute.ints('explicit_paddings', []),
    attribute.text('data_format', 'NHWC'),
    attribute.ints('dilations', [1, dilation, dilation, 1]),
  ];
  return depthwise ? attributes : [...attributes, attribute.bool('use_cudnn_on_gpu', true)];
}

interface Kernels {
  readonly forward: string;
  readonly backpropInput: string;
  readonly backpropFilter: string;
}
const FULL: Kernels = { forward: 'Conv2D', backpropInput: 'Conv2DBackpropInput', backpropFilter: 'Conv2DBackpropFilter' };
const DEPTHWISE: Kernels = {
  forward: 'DepthwiseConv2dNative',
  backpropInput: 'DepthwiseConv2dNativeBackpropInput',
  backpropFilter: 'DepthwiseConv2dNativeBackpropFilter',
};

/** Anything with a tensor's shape. */
export interface HasShape {
  readonly shape: readonly number[];
}

/** A convolution of one geometry: forward and both gradients, as plain functions outside the gradient tape. */
export interface ConvKernel {
  /** x [B, H, W, C], kernel [k, k, C, D] (depthwise: [k, k, C, 1]) → [B, H', W', D]. */
  forward(x: Tensor, kernel: Tensor): Tensor4D;
  /** Of x only the shape is read. */
  inputGradient(x: HasShape, kernel: Tensor, dy: Tensor): Tensor4D;
  kernelGradient(x: Tensor, kernel: Tensor, dy: Tensor): Tensor4D;
}

/**
 * A dilated convolution as a plain one on the d·d interleaved sub-grids (space-to-batch): TensorFlow has no gradient kernel for
 * dilated depthwise convolutions. Zeros outside a sub-grid are those of SAME padding, so only the size is rounded up to a
 * multiple of d.
 */
function dilatedKernel(kernels: Kernels, dilation: number, depthwise: boolean): ConvKernel {
  const plain = plainKernel(kernels, { stride: 1, dilation: 1, padding: 'same' }, 'SAME', depthwise);
  const block: [number, number] = [dilation, dilation];
  const extra = (x: HasShape): [[number, number], [number, number]] => [
    [0, (dilation - (x.shape[1] % dilation)) % dilation],
    [0, (dilation - (x.shape[2] % dilation)) % dilation],
  ];
  const split = (x: Tensor) => tf.spaceToBatchND(x as Tensor4D, block, extra(x));
  const join = (parts: Tensor4D, like: HasShape) => tf.batchToSpaceND(parts, block, extra(like));
  return {
    forward: (x, kernel) => tf.tidy(() => join(plain.forward(split(x), kernel), x)),
    inputGradient: (x, kernel, dy) =>
      tf.tidy(() => {
        const parts = split(dy);
        return join(plain.inputGradient({ shape: [...parts.shape.slice(0, 3), x.shape[3]] }, kernel, parts), x);
      }),
    kernelGradient: (x, kernel, dy) => tf.tidy(() => plain.kernelGradient(split(x), kernel, split(dy))),
  };
}

/** The kernels of one geometry without padding of their own ('SAME' or 'VALID'). */
function plainKernel(kernels: Kernels, geometry: ConvGeometry, padding: 'SAME' | 'VALID', depthwise: boolean): ConvKernel {
  const attributes = convAttributes(geometry, padding, depthwise);
  return {
    forward: (x, kernel) => execute<Tensor4D>(kernels.forward, attributes, [x, kernel]),
    inputGradient: (x, kernel, dy) => execute<Tensor4D>(kernels.backpropInput, attributes, [shapeTensor(x.shape), kernel, dy]),
    kernelGradient: (x, kernel, dy) => execute<Tensor4D>(kernels.backpropFilter, attributes, [x, shapeTensor(kernel.shape), dy]),
  };
}

/** Pad + VALID: symmetric padding where SAME would be asymmetric (stride 2). */
function paddedKernel(inner: ConvKernel, padding: number): ConvKernel {
  const pad = (x: Tensor) =>
    tf.pad(x as Tensor4D, [
      [0, 0],
      [padding, padding],
      [padding, padding],
      [0, 0],
    ]);
  return {
    forward: (x, kernel) => tf.tidy(() => inner.forward(pad(x), kernel)),
    inputGradient: (x, kernel, dy) =>
      tf.tidy(() => {
        const [batch, height, width, channels] = x.shape as Tensor4D['shape'];
        const padded = { shape: [batch, height + 2 * padding, width + 2 * padding, channels] };
        return tf.slice(inner.inputGradient(padded, kernel, dy), [0, padding, padding, 0], [batch, height, width, channels]);
      }),
    kernelGradient: (x, kernel, dy) => tf.tidy(() => inner.kernelGradient(pad(x), kernel, dy)),
  };
}

const FIRST_TRANSPOSED = [attribute.float32('T'), attribute.bool('transpose_a', true), attribute.bool('transpose_b', false)];

/**
 * The kernel's gradient as k·k matrix products of shifted, cropped slices. oneDNN's own is many times slower where most taps
 * of a large dilation fall outside the image (dilation 18 at 32×32: 176 ms against 13 ms).
 */
function shiftedKernelGradient(x: Tensor, kernel: Tensor, dy: Tensor, dilation: number): Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape as Tensor4D['shape'];
    const [size, , , outputs] = kernel.shape as Tensor4D['shape'];
    const reach = (size - 1) / 2;
    const taps: Tensor[] = [];
    for (let row = -reach; row <= reach; row++) {
      for (let column = -reach; column <= reach; column++) {
        const [dh, dw] = [row * dilation, column * dilation];
        const [rows, columns] = [height - Math.abs(dh), width - Math.abs(dw)];
        if (rows <= 0 || columns <= 0) {
          taps.push(tf.zeros([channels, outputs]));
          continue;
        }
        const xs = tf.slice(x as Tensor4D, [0, Math.max(dh, 0), Math.max(dw, 0), 0], [batch, rows, columns, channels]);
        const ys = tf.slice(dy as Tensor4D, [0, Math.max(-dh, 0), Math.max(-dw, 0), 0], [batch, rows, columns, outputs]);
        taps.push(execute('MatMul', FIRST_TRANSPOSED, [tf.reshape(xs, [-1, channels]), tf.reshape(ys, [-1, outputs])]));
      }
    }
    return tf.reshape(tf.stack(taps), kernel.shape as Tensor4D['shape']);
  });
}

/**
 * The kernel's gradient of a depthwise convolution (stride 1, SAME) as a convolution itself: every image's channel is a channel of
 * its own, dy is the filter, and the outputs are the taps, `dilation` apart. Up to three times faster than TensorFlow's own for
 * 5×5 taps, and without space-to-batch where dilated; for 3×3 taps TensorFlow's own is the faster one.
 */
function correlatedKernelGradient(x: Tensor, kernel: Tensor, dy: Tensor, dilation: number): Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape as Tensor4D['shape'];
    const size = kernel.shape[0];
    const padding = (dilation * (size - 1)) / 2;
    const around: [number, number] = [padding, padding];
    const imagesAsChannels = (maps: Tensor) => tf.transpose(maps, [1, 2, 0, 3]);
    const padded = imagesAsChannels(tf.pad(x as Tensor4D, [[0, 0], around, around, [0, 0]]));
    const attributes = convAttributes({ stride: dilation, dilation: 1, padding: 0 }, 'VALID', true);
    const taps = execute(DEPTHWISE.forward, attributes, [
      tf.reshape(padded, [1, height + 2 * padding, width + 2 * padding, batch * channels]),
      tf.reshape(imagesAsChannels(dy), [height, width, batch * channels, 1]),
    ]);
    return tf.reshape(tf.sum(tf.reshape(taps, [size * size, batch, channels]), 1), kernel.shape as Tensor4D['shape']);
  });
}

let dilatedGradients: boolean | undefined;

/** Whether TensorFlow's gradient kernels take dilations: they do with oneDNN or on a GPU, not otherwise. Probed once. */
export function hasDilatedGradients(): boolean {
  dilatedGradients ??= tf.tidy(() => {
    const geometry: ConvGeometry = { stride: 1, dilation: 2, padding: 'same' };
    const kernel = plainKernel(FULL, geometry, 'SAME', false);
    const [x, w, dy] = [tf.ones([1, 8, 8, 1]), tf.ones([3, 3, 1, 1]), tf.ones([1, 8, 8, 1])];
    try {
      kernel.inputGradient(x, w, dy);
      kernel.kernelGradient(x, w, dy);
      return true;
    } catch {
      return false;
    }
  });
  return dilatedGradients;
}

/** Chooses the kernels for a convolution of `size`×`size` taps. */
export function convKernel(size: number, geometry: ConvGeometry, depthwise = false): ConvKernel {
  const { stride, dilation, padding } = geometry;
  const kernels = depthwise ? DEPTHWISE : FULL;
  const isSame = padding === 'same' || (stride === 1 && 2 * padding === dilation * (size - 1));
  if (!isSame) return paddedKernel(plainKernel(kernels, geometry, 'VALID', depthwise), padding);
  const plain = plainKernel(kernels, geometry, 'SAME', depthwise);
  if (depthwise) {
    const kernel = dilation === 1 ? plain : dilatedKernel(kernels, dilation, depthwise);
    if (usesGpu || stride > 1 || size < 5) return kernel;
    return { ...kernel, kernelGradient: (x, weight, dy) => correlatedKernelGradient(x, weight, dy, dilation) };
  }
  if (dilation === 1 || size === 1) return plain;
  if (!hasDilatedGradients()) return dilatedKernel(kernels, dilation, depthwise);
  if (usesGpu) return plain;
  return {
    ...plain,
    kernelGradient: (x, kernel, dy) =>
      2 * dilation > x.shape[1]! ? shiftedKernelGradient(x, kernel, dy, dilation) : plain.kernelGradient(x, kernel, dy),
  };
}
