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

const BACKGROUND = VOC_CLASSES[0];

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

const vocName = (name: string): string | undefined => VOC_CLASSES.find((known) => known === plain(name)) ?? ALIASES[plain(name)];

/** Whether every name is one of VOC's classes, or one of their short names. */
export const areVocNames = (names: readonly string[]): boolean => names.every((name) => vocName(name) !== undefined);

/**
 * The class list of annotations that no list is given for: the names that occur and no others, since training needs every class; the
 * background is first even where it does not occur. VOC's classes come in VOC's order and under VOC's names, any others as they are
 * written, by the alphabet. A name that is nearly one of VOC's that occurs too is left out: it is a slip, which classIndexOf tells.
 */
export function classesOfNames(names: readonly string[]): readonly string[] {
  if (areVocNames(names)) {
    const used = new Set(names.map(vocName));
    return VOC_CLASSES.filter((name, index) => index === 0 || used.has(name));
  }
  const known = names.filter((name) => vocName(name) !== undefined);
  const classes = new Map([[plain(BACKGROUND), BACKGROUND]]);
  for (const name of [...names].sort()) {
    const key = plain(name);
    const isSlip = vocName(name) === undefined && nearestName(name, known) !== undefined;
    const standsForAnother = ALIASES[key] !== undefined && [...known.map(plain), BACKGROUND].includes(ALIASES[key]);
    if (!isSlip && !standsForAnother && !classes.has(key)) classes.set(key, name);
  }
  return [...classes.values()];
}

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
