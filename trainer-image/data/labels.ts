import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import type { LabelMap } from './types.ts';

/** Number of pixels of each value, 256 counts. */
export function countLabels(map: LabelMap): Uint32Array {
  const counts = new Uint32Array(256);
  for (const value of map.data) counts[value]++;
  return counts;
}

/**
 * The image-level label: which foreground classes occur in the map.
 * @param classes number of classes K, background included
 * @returns [K-1], 1 where class k+1 occurs
 */
export function imageLevelLabels(map: LabelMap, classes: number): Float32Array {
  const labels = new Float32Array(classes - 1);
  const counts = countLabels(map);
  for (let k = 1; k < classes; k++) if (counts[k] > 0) labels[k - 1] = 1;
  return labels;
}

/**
 * Refuses maps that do not fit the image or name a class that does not exist.
 * @param classes class names, index 0 = background
 * @throws BadInputError naming `file`
 */
export function checkLabelMap(
  map: LabelMap,
  image: { readonly width: number; readonly height: number },
  classes: readonly string[],
  file: string,
): void {
  if (map.width !== image.width || map.height !== image.height) {
    const turned = map.width === image.height && map.height === image.width ? '; was the image turned by its EXIF orientation?' : '';
    throw new BadInputError(`is ${map.width}×${map.height} pixels, its image ${image.width}×${image.height}${turned}`, { file });
  }
  const counts = countLabels(map);
  for (let value = classes.length; value < IGNORE_INDEX; value++) {
    if (counts[value] > 0) {
      const message = `has ${counts[value]} pixels of class ${value}, but there are ${classes.length} classes (0 to ${classes.length - 1}; ${IGNORE_INDEX} = ignore)`;
      throw new BadInputError(message, { file, field: 'spec.dataset.classes' });
    }
  }
}
