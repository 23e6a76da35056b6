import { attribute, execute, tf, type Tensor, type Variable } from '../tf.ts';
import { arraysOnDemand, type NamedArrays } from '../model/weights/elements.ts';

export interface SgdSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  /** How many times faster than the rate a parameter learns; 1 where left out. */
  readonly rateFactor?: (name: string) => number;
}

/** The factors of an update as tensors, made once for all parameters of one rate. */
interface Factors {
  readonly momentum: Tensor;
  readonly weightDecay: Tensor;
  readonly rate: Tensor;
}

const T = attribute.float32('T');
const SUM_OF_THREE = [T, attribute.int('N', 3)];

/**
 * Stochastic gradient descent with momentum and L2 weight decay, PyTorch's form: v ← μ v + (g + λ w); w ← w − rate · v, v = g + λ w at
 * the first step. The many small vectors (batch norm, biases) are updated as one long vector for each rate, which saves hundreds of kernels.
 */
export class Sgd {
  readonly #settings: SgdSettings;
  readonly #parameters: ReadonlyMap<string, Variable>;
  readonly #velocity = new Map<string, Tensor>();

  constructor(parameters: ReadonlyMap<string, Variable>, settings: SgdSettings) {
    this.#parameters = parameters;
    this.#settings = settings;
    for (const [name, variable] of parameters) this.#velocity.set(name, tf.keep(tf.zerosLike(variable)));
  }

  /** One step; `gradients` by parameter name (parameters without one stay as they are). */
  step(gradients: ReadonlyMap<string, Tensor>, rate: number): void {
    const { rateFactor = () => 1, momentum, weightDecay } = this.#settings;
    const learning = [...this.#parameters.keys()].filter((name) => gradients.has(name));
    for (const [own, names] of Map.groupBy(learning, (name) => rate * rateFactor(name))) {
      const factors: Factors = { momentum: tf.scalar(momentum), weightDecay: tf.scalar(weightDecay), rate: tf.scalar(own) };
      const isVector = (name: string) => this.#parameters.get(name)!.rank === 1;
      for (const name of names.filter((name) => !isVector(name))) {
        this.#assign(name, ...this.#update(this.#parameters.get(name)!, gradients.get(name)!, this.#velocity.get(name)!, factors));
      }
      this.#stepVectors(names.filter(isVector), gradients, factors);
      tf.dispose([factors.momentum, factors.weightDecay, factors.rate]);
    }
  }

  #update(weight: Tensor, gradient: Tensor, velocity: Tensor, { momentum, weightDecay, rate }: Factors): [Tensor, Tensor] {
    const multiply = (a: Tensor, b: Tensor) => execute('Mul', [T], [a, b]);
    const next = tf.tidy(() => execute('AddN', SUM_OF_THREE, [gradient, multiply(weight, weightDecay), multiply(velocity, momentum)]));
    return [tf.tidy(() => execute('Sub', [T], [weight, multiply(next, rate)])), next];
  }

  #stepVectors(names: readonly string[], gradients: ReadonlyMap<string, Tensor>, factors: Factors): void {
    if (names.length === 0) return;
    const join = (tensors: Tensor[]) => tf.concat1d(tensors as never);
    const sizes = names.map((name) => this.#parameters.get(name)!.size);
    const [value, velocity] = tf.tidy(() =>
      this.#update(
        join(names.map((name) => this.#parameters.get(name)!)),
        join(names.map((name) => gradients.get(name)!)),
        join(names.map((name) => this.#velocity.get(name)!)),
        factors,
      ),
    );
    const [values, velocities] = [tf.split(value, sizes), tf.split(velocity, sizes)];
    names.forEach((name, index) => this.#assign(name, values[index], velocities[index]));
    tf.dispose([value, velocity]);
  }

  #assign(name: string, value: Tensor, velocity: Tensor): void {
    const variable = this.#parameters.get(name)!;
    variable.assign(value);
    value.dispose();
    this.#velocity.get(name)!.dispose();
    this.#velocity.set(name, tf.keep(velocity));
  }

  /** The velocities, for a checkpoint; TensorFlow's layout. Each array is made when it is read. */
  exportOnDemand(): NamedArrays {
    return arraysOnDemand(
      [...this.#velocity].map(([name, tensor]) => [name, [...tensor.shape], () => tensor.dataSync<'float32'>().slice()] as const),
    );
  }

  /** Restores what `exportOnDemand` gave. */
  load(arrays: NamedArrays): void {
    for (const [name, { shape, data }] of arrays) {
      this.#velocity.get(name)?.dispose();
      this.#velocity.set(name, tf.keep(tf.tensor(data, shape, 'float32')));
    }
  }

  dispose(): void {
    for (const tensor of this.#velocity.values()) tensor.dispose();
    this.#velocity.clear();
  }
}
