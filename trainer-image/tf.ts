import { createRequire } from 'node:module';
import type * as Tensorflow from '@tensorflow/tfjs-node';
import { chooseTensorflow, TENSORFLOW_WARNING } from './tensorflow-package.ts';

/**
 * The only import of TensorFlow. The -gpu package comes first and the CPU package stands in where it is missing or its library
 * cannot be loaded, with a warning of the process, so GPU and CPU share one code path. Besides the public API, `execute` reaches TensorFlow's own kernels, which
 * are much faster than what tfjs composes from small ones (docs/decisions/direct-kernels.md).
 */
export type Tensor = Tensorflow.Tensor;
export type Tensor2D = Tensorflow.Tensor2D;
export type Tensor4D = Tensorflow.Tensor4D;
export type Variable = Tensorflow.Variable;
export type Scalar = Tensorflow.Scalar;

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

/** tfjs-node 4.22 calls two helpers that Node 23 removed from node:util; they are given back before it loads. */
function restoreUtilHelpers(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  Object.defineProperty(util, 'isArray', { value: Array.isArray });
}

async function loadTensorflow(): Promise<typeof Tensorflow> {
  restoreUtilHelpers();
  const { name, warning } = chooseTensorflow(['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'], import.meta.url);
  if (warning !== undefined) process.emitWarning(warning, TENSORFLOW_WARNING);
  const loaded = (await import(name)) as { default: typeof Tensorflow };
  return loaded.default;
}

export const tf = await loadTensorflow();

/**
 * The values of a new tensor that `compute` makes; it and all others made on the way are disposed. Never return values from
 * tf.tidy itself: it looks for tensors in whatever it is given and walks through an array number by number (seconds for a network).
 */
export function valuesOf(compute: () => Tensor): Float32Array {
  const result = tf.tidy(compute);
  const values = result.dataSync<'float32'>();
  result.dispose();
  return values;
}

interface Binding {
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_BOOL: number;
}

interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: string | number | boolean | readonly number[];
}

interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): Tensor;
  executeMultipleOutputs(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[], outputs: number): Tensor[];
}

const backend = tf.backend() as unknown as NodeBackend;
const { binding } = backend;

/** True where TensorFlow computes on a GPU. */
export const usesGpu: boolean = backend.isUsingGpuDevice;

/** Constructors of op attributes; make them once, outside hot loops. */
export const attribute = {
  text: (name: string, value: string): OpAttribute => ({ name, type: binding.TF_ATTR_STRING, value }),
  int: (name: string, value: number): OpAttribute => ({ name, type: binding.TF_ATTR_INT, value }),
  ints: (name: string, value: readonly number[]): OpAttribute => ({ name, type: binding.TF_ATTR_INT, value }),
  float: (name: string, value: number): OpAttribute => ({ name, type: binding.TF_ATTR_FLOAT, value }),
  bool: (name: string, value: boolean): OpAttribute => ({ name, type: binding.TF_ATTR_BOOL, value }),
  float32: (name: string): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }),
  int32: (name: string): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 }),
};
export type Attribute = OpAttribute;

/** Runs one TensorFlow kernel with one output, outside tfjs's gradient tape. */
export function execute<T extends Tensor = Tensor>(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): T {
  return backend.executeSingleOutput(name, attributes, inputs) as T;
}

/** Runs one TensorFlow kernel with several outputs, outside tfjs's gradient tape. */
export function executeMany(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[], outputs: number): Tensor[] {
  return backend.executeMultipleOutputs(name, attributes, inputs, outputs);
}
