import { BadInputError } from '../../trainer-image/errors.ts';
import { nearestName } from '../api/suggestions.ts';

/** PASCAL VOC's classes; the index in this list is the class index. */
export const VOC_CLASSES: readonly string[] = [
  'background',
  'aeroplane',
  'bicycle',
  'bird',
  'boat',
  'bottle',
  'bus',
  'car',
  'cat',
  'chair',
  'cow',
  'diningtable',
  'dog',
  'horse',
  'motorbike',
  'person',
  'pottedplant',
  'sheep',
  'sofa',
  'train',
  'tvmonitor',
];

/** Short names that annotations of VOC use. */
const ALIASES: Readonly<Record<string, string>> = {
  airplane: 'aeroplane',
  plane: 'aeroplane',
  bike: 'bicycle',
  table: 'diningtable',
  motor: 'motorbike',
  motorcycle: 'motorbike',
  people: 'person',
  plant: 'pottedplant',
  couch: 'sofa',
  monitor: 'tvmonitor',
  tv: 'tvmonitor',
  bg: 'background',
};

/** Case, blanks, dashes and underscores do not tell class names apart. */
const plain = (name: string) => name.toLowerCase().replace(/[\s_-]+/g, '');

/**
 * Index of a class by name; VOC's usual short names count as the class they stand for.
 * @throws BadInputError with the nearest name
 */
export function classIndexOf(name: string, classes: readonly string[], where: { file?: string; field?: string }): number {
  const names = classes.map(plain);
  const wanted = plain(name);
  for (const candidate of [wanted, ALIASES[wanted]]) {
    if (candidate !== undefined && names.includes(candidate)) return names.indexOf(candidate);
  }
  const near = nearestName(name, classes);
  const meant = near === undefined ? '' : `; did you mean "${near}"?`;
  throw new BadInputError(
    `unknown class "${name}"${meant} Known: ${classes.join(', ')}. Other classes are given with --labels or in a labels.txt`,
    where,
  );
}
