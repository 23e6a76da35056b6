import { attribute, execute, tf, type Tensor, type Variable } from '../tf.ts';
import { arraysOnDemand, type NamedArrays } from '../model/weights/elements.ts';

export interface SgdSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  /** How many times faster than the rate a parameter learns; 1 where left out. */
  readonly rateFactor?: (name: string) => number;
}

const T = attribute.float32('T');

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
    const { rateFactor = () => 1 } = this.#settings;
    const rateOf = (name: string) => rate * rateFactor(name);
    const vectors: string[] = [];
    for (const [name, variable] of this.#parameters) {
      const gradient = gradients.get(name);
      if (gradient === undefined) continue;
      if (variable.rank === 1) vectors.push(name);
      else this.#assign(name, ...this.#update(variable, gradient, this.#velocity.get(name)!, rateOf(name)));
    }
    for (const [own, names] of Map.groupBy(vectors, rateOf)) this.#stepVectors(names, gradients, own);
  }

  #update(weight: Tensor, gradient: Tensor, velocity: Tensor, rate: number): [Tensor, Tensor] {
    const { momentum, weightDecay } = this.#settings;
    const next = tf.tidy(() => {
      const decayed = execute('AddV2', [T], [gradient, execute('Mul', [T], [weight, tf.scalar(weightDecay)])]);
      return execute('AddV2', [T], [decayed, execute('Mul', [T], [velocity, tf.scalar(momentum)])]);
    });
    const value = tf.tidy(() => execute('Sub', [T], [weight, execute('Mul', [T], [next, tf.scalar(rate)])]));
    return [value, next];
  }

  #stepVectors(names: readonly string[], gradients: ReadonlyMap<string, Tensor>, rate: number): void {
    const join = (tensors: Tensor[]) => tf.concat1d(tensors as never);
    const sizes = names.map((name) => this.#parameters.get(name)!.size);
    const [value, velocity] = tf.tidy(() =>
      this.#update(
        join(names.map((name) => this.#parameters.get(name)!)),
        join(names.map((name) => gradients.get(name)!)),
        join(names.map((name) => this.#velocity.get(name)!)),
        rate,
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
