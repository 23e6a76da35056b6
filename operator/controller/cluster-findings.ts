import type { ExperimentSpec } from '../api/experiment.ts';
import type { Finding } from '../api/findings.ts';
import type { OperatorConfig } from '../config.ts';
import { matchesImagePattern } from './image-patterns.ts';
import { isPinnedOf } from './pinned-image.ts';

/** What the configuration says about experiments. */
export type Allowances = Pick<OperatorConfig, 'trainerImage' | 'allowedImages' | 'allowedDataImages'>;

/**
 * What can be used on one's own machine but not in a cluster, or not with this operator's configuration; for the schema both are in
 * order. Experiments with findings start nothing.
 */
export function clusterFindings(spec: ExperimentSpec, allowances: Allowances): Finding[] {
  return [...pathFindings(spec), ...trainerImageFindings(spec, allowances), ...dataImageFindings(spec, allowances)];
}

/** Every path of the spec that a stage reads in a cluster, by its field. */
function pathsOf({ dataset, pseudoLabels, model }: ExperimentSpec): [field: string, path: string][] {
  const { path, images, scribbles, masks, trainSplit, valSplit } = dataset.folder ?? {};
  const named = { path, images, scribbles, masks, trainSplit, valSplit };
  const isFile = model.weights !== 'None' && model.weights !== 'ImageNet';
  const fields: [string, string | undefined][] = [
    ...Object.entries(named).map(([name, value]): [string, string | undefined] => [`spec.dataset.folder.${name}`, value]),
    ['spec.pseudoLabels.external.path', pseudoLabels.external?.path],
    ['spec.model.weights', isFile ? model.weights : undefined],
  ];
  return fields.filter((field): field is [string, string] => field[1] !== undefined);
}

/** Paths lead into a volume, and not out of it. */
function pathFindings(spec: ExperimentSpec): Finding[] {
  return pathsOf(spec).flatMap(([field, path]) => {
    const trouble = pathTrouble(path);
    return trouble === undefined ? [] : [{ field, message: `"${path}" ${trouble}` }];
  });
}

function pathTrouble(path: string): string | undefined {
  const advice = 'in a cluster paths start at the root of the claim or image; write it without';
  if (path.startsWith('/')) return `is absolute: ${advice} the leading /`;
  if (path === '~' || path.startsWith('~/')) return `starts at a home folder, which a stage in a cluster does not have: ${advice} ~`;
  if (path.split('/').includes('..')) return `leads upwards: ${advice} ..`;
  return undefined;
}

const SHOWN = 5;
const listed = (patterns: readonly string[]): string =>
  patterns.length > SHOWN ? `${patterns.slice(0, SHOWN).join(', ')} and ${patterns.length - SHOWN} more` : patterns.join(', ');

function trainerImageFindings({ image }: ExperimentSpec, { trainerImage, allowedImages }: Allowances): Finding[] {
  if (image === undefined || image === trainerImage || allowedImages.some((pattern) => matchesImagePattern(image, pattern))) return [];
  // What `cdsp reproduce` prints is pinned.
  if (isPinnedOf(image, trainerImage)) return [];
  const allowed = listed([trainerImage, ...allowedImages]);
  const message = `"${image}" is not allowed here (allowed: ${allowed}); leave it out, or have the operator’s administrator add it to allowedImages`;
  return [{ field: 'spec.image', message }];
}

function dataImageFindings({ dataset, pseudoLabels, model }: ExperimentSpec, { allowedDataImages }: Allowances): Finding[] {
  const images: [field: string, image: string | undefined][] = [
    ['spec.dataset.folder.image', dataset.folder?.image],
    ['spec.pseudoLabels.external.image', pseudoLabels.external?.image],
    ['spec.model.weightsFrom.image', model.weightsFrom?.image],
  ];
  return images.flatMap(([field, image]) => {
    if (image === undefined || allowedDataImages.some((pattern) => matchesImagePattern(image, pattern))) return [];
    const allowed = allowedDataImages.length === 0 ? 'none is' : `allowed: ${listed(allowedDataImages)}`;
    const advice = 'put the data on a claim (claimName), or have the operator’s administrator add the image to allowedDataImages';
    return [{ field, message: `"${image}" is not allowed here (${allowed}); ${advice}` }];
  });
}
