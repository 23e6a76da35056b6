import { tf, valuesOf, type Tensor, type Variable } from '../tf.ts';
import { arraysOnDemand, type NamedArrays } from './weights/elements.ts';
import type { Random } from '../data/random.ts';

/** How an array lies in a PyTorch file against how TensorFlow wants it. */
type Layout = 'conv' | 'depthwise' | 'linear' | 'plain';

/** The scope in which networks declare their backbone. */
const BACKBONE_PREFIX = 'backbone.';

/** Whether a parameter belongs to the backbone, whose weights may be pretrained, and not to a head or LoRM. */
export function isBackboneParameter(name: string): boolean {
  return name.startsWith(BACKBONE_PREFIX);
}

interface Entry {
  readonly variable: Variable;
  readonly layout: Layout;
  readonly isBatchNorm: boolean;
}

export interface ConvShape {
  readonly size: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly depthwise?: boolean;
}

export interface BatchNormVariables {
  readonly scale: Variable;
  readonly offset: Variable;
  readonly mean: Variable;
  readonly variance: Variable;
}

/**
 * The parameters of a network under PyTorch's names, in the order in which the layers declare them. Variables have
 * TensorFlow's layout; `export` and `load` translate: conv [out, in, k, k] ↔ [k, k, in, out], depthwise [C, 1, k, k] ↔ [k, k, C, 1],
 * linear [out, in] ↔ [in, out].
 */
export class ParameterStore {
  readonly #entries = new Map<string, Entry>();
  readonly #random: Random | undefined;
  readonly #prefix: string;

  /** `random` draws the initial values; the same stream gives the same network. Without it they are 0, for a network whose values are loaded. */
  constructor(random: Random | undefined, prefix = '', entries?: Map<string, Entry>) {
    this.#random = random;
    this.#prefix = prefix;
    if (entries !== undefined) this.#entries = entries;
  }

  /** A view that puts `prefix.` before each name. */
  scope(prefix: string): ParameterStore {
    return new ParameterStore(this.#random, `${this.#prefix}${prefix}.`, this.#entries);
  }

  #declare(name: string, value: Tensor, layout: Layout, { trainable = true, isBatchNorm = false } = {}): Variable {
    const full = this.#prefix + name;
    if (this.#entries.has(full)) throw new Error(`parameter ${full} is declared twice`);
    const variable = tf.variable(value, trainable);
    value.dispose();
    this.#entries.set(full, { variable, layout, isBatchNorm });
    return variable;
  }

  #normal(shape: number[], deviation: number): Tensor {
    const random = this.#random;
    if (random === undefined) return tf.zeros(shape);
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
      const angle = 2 * Math.PI * random();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
    }
    return tf.tensor(values, shape);
  }

  #uniform(shape: number[], bound: number): Tensor {
    const random = this.#random;
    if (random === undefined) return tf.zeros(shape);
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) values[i] = (2 * random() - 1) * bound;
    return tf.tensor(values, shape);
  }

  /**
   * Kernel of a convolution: Kaiming normal over the fan out, torchvision's choice for backbones. Returns [k, k, in, out],
   * depthwise [k, k, C, 1].
   */
  conv(name: string, { size, inputs, outputs, depthwise = false }: ConvShape): Variable {
    const fanOut = size * size * (depthwise ? 1 : outputs);
    const shape = depthwise ? [size, size, inputs, 1] : [size, size, inputs, outputs];
    return this.#declare(name, this.#normal(shape, Math.sqrt(2 / fanOut)), depthwise ? 'depthwise' : 'conv');
  }

  /**
   * Kernel of a convolution in a head: PyTorch's default, uniform within 1/√(fan in). With few outputs the fan out would give
   * weights many times larger, and what batch norm makes of large weights is a small effective rate.
   */
  headConv(name: string, { size, inputs, outputs }: ConvShape): Variable {
    return this.#declare(name, this.#uniform([size, size, inputs, outputs], 1 / Math.sqrt(size * size * inputs)), 'conv');
  }

  /** 1×1 convolution with Xavier-uniform values (LoRM's query and key). Returns [1, 1, in, out]. */
  xavierConv(name: string, inputs: number, outputs: number): Variable {
    return this.#declare(name, this.#uniform([1, 1, inputs, outputs], Math.sqrt(6 / (inputs + outputs))), 'conv');
  }

  /** Weight of a linear layer, PyTorch's default initialisation. Returns [in, out]. */
  linear(name: string, inputs: number, outputs: number): Variable {
    return this.#declare(name, this.#uniform([inputs, outputs], 1 / Math.sqrt(inputs)), 'linear');
  }

  /** A vector of a constant. */
  vector(name: string, size: number, value: number): Variable {
    return this.#declare(name, tf.fill([size], value), 'plain');
  }

  /** Scale, offset and running statistics of a batch norm. */
  batchNorm(name: string, size: number): BatchNormVariables {
    const declare = (suffix: string, value: Tensor, trainable: boolean) =>
      this.#declare(`${name}.${suffix}`, value, 'plain', { trainable, isBatchNorm: true });
    return {
      scale: declare('weight', tf.ones([size]), true),
      offset: declare('bias', tf.zeros([size]), true),
      mean: declare('running_mean', tf.zeros([size]), false),
      variance: declare('running_var', tf.ones([size]), false),
    };
  }

  /** Names and PyTorch shapes of everything, in the order of declaration. */
  expected(): Map<string, number[]> {
    return new Map([...this.#entries].map(([name, { variable, layout }]) => [name, torchShape(variable.shape, layout)]));
  }

  /** The variables that training changes, by name; `frozenBatchNorm` leaves out scale and offset of the backbone's batch norms. */
  trainable({ frozenBatchNorm = false } = {}): Map<string, Variable> {
    const isFrozen = (name: string, entry: Entry) => frozenBatchNorm && entry.isBatchNorm && isBackboneParameter(name);
    const chosen = [...this.#entries].filter(([name, entry]) => entry.variable.trainable && !isFrozen(name, entry));
    return new Map(chosen.map(([name, { variable }]) => [name, variable]));
  }

  /** Everything in PyTorch's layout. */
  export(): NamedArrays {
    return new Map([...this.exportOnDemand()].map(([name, { shape, data }]) => [name, { shape, data }]));
  }

  /** What `export` gives, each array made when it is read. */
  exportOnDemand(): NamedArrays {
    return arraysOnDemand(
      [...this.#entries].map(
        ([name, { variable, layout }]) => [name, torchShape(variable.shape, layout), () => toTorch(variable, layout)] as const,
      ),
    );
  }

  /** Sets the parameters whose names occur in `arrays` (PyTorch's layout); shapes must agree, other names are passed over. */
  load(arrays: NamedArrays): void {
    for (const [name, { shape, data }] of arrays) {
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      const value = fromTorch(data, shape, entry.layout);
      entry.variable.assign(value);
      value.dispose();
    }
  }

  dispose(): void {
    for (const { variable } of this.#entries.values()) variable.dispose();
    this.#entries.clear();
  }
}

function torchShape(shape: readonly number[], layout: Layout): number[] {
  switch (layout) {
    case 'conv':
      return [shape[3], shape[2], shape[0], shape[1]];
    case 'depthwise':
      return [shape[2], 1, shape[0], shape[1]];
    case 'linear':
      return [shape[1], shape[0]];
    case 'plain':
      return [...shape];
    default:
      return layout satisfies never;
  }
}

const TO_TORCH = { conv: [3, 2, 0, 1], depthwise: [2, 3, 0, 1], linear: [1, 0], plain: undefined } as const;
const FROM_TORCH = { conv: [2, 3, 1, 0], depthwise: [2, 3, 0, 1], linear: [1, 0], plain: undefined } as const;

function toTorch(value: Tensor, layout: Layout): Float32Array {
  const order = TO_TORCH[layout];
  return order === undefined ? value.dataSync<'float32'>().slice() : valuesOf(() => tf.transpose(value, [...order]));
}

function fromTorch(data: Float32Array, shape: readonly number[], layout: Layout): Tensor {
  const order = FROM_TORCH[layout];
  return tf.tidy(() => {
    const value = tf.tensor(data, [...shape], 'float32');
    return order === undefined ? value : tf.transpose(value, [...order]);
  });
}
