import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { decodeSafetensors, encodeSafetensors } from '../model/weights/safetensors.ts';
import type { ActivationMaps } from '../pseudo-labels/label-jobs.ts';
import { writeByRename } from '../write-by-rename.ts';

/** Bytes of activation maps that a stage keeps, all its processes together; those of further images are computed again. */
export const MAX_ACTIVATION_BYTES = 4 * 2 ** 30;
const NAME = 'activations';

/**
 * Activation maps between choosing the threshold and labelling. They are what takes long, so they lie on disk: an interrupted stage
 * computes none again, and the processes of a stage share them.
 */
export interface ActivationStore {
  /** The maps of an image, if they are there, whole and of these classes. */
  read(id: string, classIndices: readonly number[]): ActivationMaps | undefined;
  /** Keeps the maps of an image, as long as there is room. @throws BadInputError where they cannot be written, e.g. on a full disk */
  write(id: string, maps: ActivationMaps): void;
}

/** All planes in one, in order. */
function joined(planes: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(planes.reduce((sum, plane) => sum + plane.length, 0));
  let position = 0;
  for (const plane of planes) {
    all.set(plane, position);
    position += plane.length;
  }
  return all;
}

const checksumOf = (data: Float32Array) => String(crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));

/** @throws BadInputError or Error for anything but a whole file */
function decode(file: string): ActivationMaps {
  const { arrays, metadata } = decodeSafetensors(readFileSync(file), file);
  const array = arrays.get(NAME);
  if (array === undefined || checksumOf(array.data) !== metadata.checksum) throw new Error('not what was written');
  const [count, height, width] = array.shape;
  const size = height * width;
  const planes = Array.from({ length: count }, (_, plane) => array.data.slice(plane * size, (plane + 1) * size));
  return { width, height, planes, classIndices: JSON.parse(metadata.classes) as number[] };
}

/**
 * @param folder is there
 * @param maxBytes that this process reads or writes at most
 */
export function openActivationStore(folder: string, maxBytes = MAX_ACTIVATION_BYTES): ActivationStore {
  const counted = new Set<string>();
  let bytes = 0;
  const count = (id: string, planes: readonly Float32Array[]) => {
    if (!counted.has(id)) bytes += planes.reduce((sum, plane) => sum + plane.byteLength, 0);
    counted.add(id);
  };
  const fileOf = (id: string) => join(folder, `${id}.safetensors`);
  return {
    read(id, classIndices) {
      try {
        const maps = decode(fileOf(id));
        if (maps.classIndices.join() !== classIndices.join()) return undefined;
        count(id, maps.planes);
        return maps;
      } catch {
        return undefined;
      }
    },
    write(id, { width, height, planes, classIndices }) {
      if (bytes >= maxBytes) return;
      count(id, planes);
      const array = { shape: [planes.length, height, width], data: joined(planes) };
      const metadata = { classes: JSON.stringify(classIndices), checksum: checksumOf(array.data) };
      writeByRename(fileOf(id), Buffer.concat(encodeSafetensors(new Map([[NAME, array]]), metadata)));
    },
  };
}
