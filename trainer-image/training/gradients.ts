import { tf, type Scalar, type Tensor, type Variable } from '../tf.ts';

export interface Gradients {
  readonly loss: Scalar;
  /** By parameter name; the caller disposes them. */
  readonly gradients: Map<string, Tensor>;
}

/** d loss / d parameter for each of `parameters` that `forward` uses. The caller owns the result. */
export function gradientsOf(forward: () => Scalar, parameters: ReadonlyMap<string, Variable>): Gradients {
  const variables = [...parameters.values()];
  const { value, grads } = tf.variableGrads(forward, variables);
  const gradients = new Map<string, Tensor>();
  for (const [name, variable] of parameters) {
    const gradient = grads[variable.name];
    if (gradient !== undefined && gradient !== null) gradients.set(name, gradient);
  }
  return { loss: value, gradients };
}

/** Euclidean norm of all gradients together. */
export function gradientNorm(gradients: ReadonlyMap<string, Tensor>): number {
  return tf.tidy(() => {
    const squares = [...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)));
    return squares.length === 0 ? 0 : Math.sqrt(tf.addN(squares).dataSync()[0]);
  });
}

/**
 * Scales all gradients by one factor so that their norm together is at most `maxNorm`; replaces them in the map.
 * Returns the norm before.
 */
export function clipGradients(gradients: Map<string, Tensor>, maxNorm: number): number {
  const norm = gradientNorm(gradients);
  if (!(norm > maxNorm)) return norm;
  const factor = tf.scalar(maxNorm / norm);
  for (const [name, gradient] of gradients) {
    gradients.set(name, tf.mul(gradient, factor));
    gradient.dispose();
  }
  factor.dispose();
  return norm;
}
