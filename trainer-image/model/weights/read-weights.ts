import { BadInputError } from '../../errors.ts';
import type { NamedArrays } from './elements.ts';
import { readBytes } from './files.ts';
import { decodeSafetensors } from './safetensors.ts';
import { decodeTorchWeights, isZip } from './torch-file.ts';

const PICKLE_PROTOCOL = 0x80;
const TAR_MAGIC_AT = 257;
const SAFETENSORS_HEADER_AT = 8;

/** Formats that people mistake for weights, by how the file begins, and what to do. */
const STRANGERS: readonly [start: string, what: string][] = [
  ['version https://git-lfs', 'a Git LFS pointer, not the weights themselves; fetch them with: git lfs pull'],
  ['<', 'a web page, so the download went wrong; fetch it again'],
  ['\x89HDF', 'an HDF5 file (Keras); only .safetensors and .pth files with torchvision’s names are read'],
  ['\x1f\x8b', 'compressed with gzip; unpack it with: gunzip'],
];

/**
 * Tensors of a weights file as float32: .safetensors or PyTorch's .pth and .pt. The content decides, and the file's
 * extension only where the content says nothing. Throws BadInputError that says what is wrong with the file.
 */
export function readWeights(file: string): NamedArrays {
  const bytes = readBytes(file);
  if (bytes.length === 0) throw new BadInputError('the weights file is empty; fetch or save it again', { file });
  const stranger = STRANGERS.find(([start]) => bytes.subarray(0, start.length).toString('latin1') === start);
  if (stranger !== undefined) throw new BadInputError(`the weights file is ${stranger[1]}`, { file });
  if (bytes.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + 5).toString('latin1') === 'ustar') {
    throw new BadInputError('the weights file is a tar archive (PyTorch before 0.1.10); load it there and save it again', { file });
  }
  if (isZip(bytes) || bytes[0] === PICKLE_PROTOCOL) return decodeTorchWeights(bytes, file);
  if (bytes[SAFETENSORS_HEADER_AT] === 0x7b || file.endsWith('.safetensors')) return decodeSafetensors(bytes, file).arrays;
  throw new BadInputError('the weights file is neither .safetensors nor a file made by torch.save', { file });
}
