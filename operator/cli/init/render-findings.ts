import { join } from 'node:path';
import { quote } from '../command-name.ts';
import { IGNORE_INDEX } from '../../api/experiment.ts';
import { formatCount } from '../progress/format.ts';
import type { AnnotationFolder, FolderFindings } from './inspect-folder.ts';

/** Something that has to be done before the experiment runs, with the command or the step that does it. */
export interface Gap {
  readonly problem: string;
  readonly advice: string;
}

/** What was found, a line each. */
export function describeFindings({ images, scribbles, masks, train, val, labels }: FolderFindings): string[] {
  const row = (name: string, text: string) => `  ${name.padEnd(10)} ${text}`;
  const list = (split: FolderFindings['train']) =>
    split === undefined ? 'not found' : `${split.path}, ${formatCount(split.count, 'name')}`;
  const size = images && `about ${images.medianLongSide}×${images.medianShortSide} pixels`;
  return [
    row('images', images === undefined ? 'not found' : `${images.path}/, ${formatCount(images.ids.length, 'file')}, ${size}`),
    row('scribbles', describeAnnotations(scribbles)),
    row('masks', describeAnnotations(masks)),
    row('train', list(train)),
    row('val', list(val)),
    row('classes', labels === undefined ? 'no labels.txt' : `labels.txt: ${labels.join(', ')}`),
  ];
}

function describeAnnotations(folder: AnnotationFolder | undefined): string {
  if (folder === undefined) return 'not found';
  const looked = folder.examined < folder.files ? ` (${folder.examined} looked at)` : '';
  return `${folder.path}/, ${formatCount(folder.files, 'file')}${looked}: ${folder.explanation}`;
}

/** Class indices in the files that were looked at, ascending; none where the files are not index PNGs. */
export function classIndices(folder: AnnotationFolder | undefined): number[] {
  if (folder === undefined || !folder.ready) return [];
  const isClass = (value: number) => value >= 0 && value < IGNORE_INDEX;
  return folder.values
    .map(({ value }) => value)
    .filter(isClass)
    .sort((a, b) => a - b);
}

/** Where `cdsp import` is told to put the index PNGs of a folder that is not ready. */
export const convertedFolder = (path: string): string => `${path}-index`;

/** What is missing, the most important first. `program` is how the user calls cdsp. */
export function findGaps(findings: FolderFindings, program: string): Gap[] {
  const { root, images, scribbles, masks, labels } = findings;
  const path = (folder: string) => quote(join(root, folder));
  const conversion = (what: string, folder: AnnotationFolder): Gap[] => {
    if (folder.ready) return [];
    const from = images === undefined ? '' : ` --images ${path(images.path)}`;
    const advice = `${program} import ${path(folder.path)} --output ${path(convertedFolder(folder.path))}${from}`;
    return [{ problem: `the ${what} in ${folder.path} are not index PNGs yet`, advice }];
  };
  const gaps: Gap[] = [];
  if (scribbles !== undefined) gaps.push(...conversion('scribbles', scribbles));
  else if (masks === undefined) gaps.push({ problem: 'no scribbles', advice: 'put index PNGs named like the images into Scribbles/' });
  else {
    const command = `${program} synth ${path(masks.path)} --output ${path('Scribbles')}`;
    gaps.push({ problem: 'no scribbles', advice: `draw some into Scribbles/; for a benchmark: ${command}` });
  }
  if (masks !== undefined) gaps.push(...conversion('masks', masks));
  const highest = Math.max(-1, ...classIndices(scribbles), ...classIndices(masks));
  if (labels !== undefined && highest >= labels.length) {
    gaps.push({
      problem: `class ${highest} occurs, but labels.txt names ${labels.length} classes`,
      advice: 'add the missing names to labels.txt',
    });
  }
  return gaps;
}
