import { BadInputError } from '../../errors.ts';
import type { NamedArrays } from './elements.ts';
import { readWeights } from './read-weights.ts';

export interface WeightsMatch {
  /** Values by the model's names, in the model's order. */
  readonly loaded: NamedArrays;
  /** The model's names that the file has no tensor for. */
  readonly missing: readonly string[];
  /** The file's names that the model has no use for and that are not plainly another head or a counter. */
  readonly unexpected: readonly string[];
  /** The file's names that are left out on purpose. */
  readonly ignored: readonly string[];
  readonly wrongShape: readonly { readonly name: string; readonly expected: readonly number[]; readonly found: readonly number[] }[];
}

/** Wrappers that put something before every name: DataParallel, torch.compile, and modules that keep the net in `model`. */
const WRAPPERS = ['module.', '_orig_mod.', 'model.'];

/** Counters of batch norm have no use here. */
const COUNTER = /(^|\.)num_batches_tracked$/;
/** Classification heads of torchvision, EfficientNet-Lite0 and segmentation models: another task's, unless the model asks for them. */
const HEAD = /^(fc|_fc|classifier|aux_classifier|head)\./;
const BACKBONE = 'backbone.';

/**
 * Finds a tensor for every name that a model expects (name → shape). The file's names may be the model's own, or torchvision's
 * without the `backbone.` that the model puts before them, and may have wrappers before that; the reading that fits most names is taken.
 * When the model wants nothing but a backbone, the heads of a whole network in the file are left out without a word.
 */
export function matchWeights(expected: ReadonlyMap<string, readonly number[]>, found: NamedArrays): WeightsMatch {
  const rename = chooseNaming(expected, [...found.keys()]);
  const byName = new Map([...found].map(([name, array]) => [rename(name), { name, array }]));
  const loaded: NamedArrays = new Map();
  const missing: string[] = [];
  const wrongShape: { name: string; expected: readonly number[]; found: readonly number[] }[] = [];
  for (const [name, shape] of expected) {
    const entry = byName.get(name);
    if (entry === undefined) missing.push(name);
    else if (!isSameShape(shape, entry.array.shape)) wrongShape.push({ name, expected: shape, found: entry.array.shape });
    else loaded.set(name, entry.array);
  }
  const onlyBackbone = [...expected.keys()].every((name) => name.startsWith(BACKBONE));
  const isIgnored = (name: string) => {
    const bare = name.startsWith(BACKBONE) ? name.slice(BACKBONE.length) : name;
    return COUNTER.test(name) || HEAD.test(bare) || (onlyBackbone && !name.startsWith(BACKBONE));
  };
  const rest = [...byName].filter(([name]) => !expected.has(name));
  return {
    loaded,
    missing,
    wrongShape,
    unexpected: rest.filter(([name]) => !isIgnored(name)).map(([, entry]) => entry.name),
    ignored: rest.filter(([name]) => isIgnored(name)).map(([, entry]) => entry.name),
  };
}

/** readWeights, whose errors then name the field of the experiment, too. */
function readNamingField(file: string, field: string | undefined): NamedArrays {
  try {
    return readWeights(file);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    throw new BadInputError(error.message, { file: error.file ?? file, field, cause: error });
  }
}

/** The renaming of the file's names that gives most of the expected ones; the simplest among equals. */
function chooseNaming(expected: ReadonlyMap<string, unknown>, names: readonly string[]): (name: string) => string {
  const stripped = [''];
  for (let prefix = ''; ;) {
    const inner = WRAPPERS.find((wrapper) => names.length > 0 && names.every((name) => name.startsWith(prefix + wrapper)));
    if (inner === undefined) break;
    prefix += inner;
    stripped.push(prefix);
  }
  const namings = stripped.flatMap((prefix) => ['', BACKBONE].map((added) => (name: string) => added + name.slice(prefix.length)));
  const hits = namings.map((naming) => names.filter((name) => expected.has(naming(name))).length);
  return namings[hits.indexOf(Math.max(...hits))];
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

const SHOWN = 5;

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/**
 * The tensors of a weights file for every name that a model expects (name → shape), in the model's order, and warnings
 * about tensors that were left over. Throws BadInputError when the file is damaged, a name is missing, a shape differs or a
 * value is not finite.
 */
export function loadWeights(
  file: string,
  expected: ReadonlyMap<string, readonly number[]>,
  field?: string,
): { arrays: NamedArrays; warnings: string[] } {
  const where = { file, field };
  const { loaded, missing, unexpected, wrongShape } = matchWeights(expected, readNamingField(file, field));
  const hint = 'choose the backbone and segmentor that the file was made for, or another file';
  if (missing.length > 0) {
    const all = loaded.size + wrongShape.length === 0 ? 'none' : 'not all';
    throw new BadInputError(`the file has ${all} of the model’s tensors; ${missing.length} missing: ${listed(missing)}; ${hint}`, where);
  }
  if (wrongShape.length > 0) {
    const shapes = wrongShape.map(({ name, expected, found }) => `${name} [${found.join(', ')}] instead of [${expected.join(', ')}]`);
    throw new BadInputError(`tensors of the wrong shape (${wrongShape.length}): ${listed(shapes)}; ${hint}`, where);
  }
  for (const [name, { data }] of loaded) {
    if (!data.every(Number.isFinite)) throw new BadInputError(`tensor "${name}" holds values that are not finite`, where);
  }
  const warnings = unexpected.length > 0 ? [`tensors of ${file} that are not used (${unexpected.length}): ${listed(unexpected)}`] : [];
  return { arrays: loaded, warnings };
}
