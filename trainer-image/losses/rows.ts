import { attribute, execute, tf, type Tensor } from '../tf.ts';

const GATHER = [attribute.float32('Tparams'), attribute.int32('Tindices'), attribute.int32('Taxis'), attribute.int('batch_dims', 0)];
const GATHER_INTEGERS = [attribute.int32('Tparams'), ...GATHER.slice(1)];
const SCATTER = [attribute.float32('T'), attribute.int32('Tindices')];

/** The rows of [R, …] that `index` [n] names, as [n, …]. tf.gather would wait for the index to check it. */
export function gatherRows(rows: Tensor, index: Tensor): Tensor {
  return execute('GatherV2', rows.dtype === 'int32' ? GATHER_INTEGERS : GATHER, [rows, index, tf.scalar(0, 'int32')]);
}

/** Adds rows [n, …] to those rows of `target` [R, …] that `index` [n] names. */
export function addRows(target: Tensor, index: Tensor, rows: Tensor): Tensor {
  return execute('TensorScatterAdd', SCATTER, [target, tf.expandDims(index, 1), rows]);
}
