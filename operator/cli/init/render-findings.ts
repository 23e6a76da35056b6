import { join } from 'node:path';
import { quote } from '../command-name.ts';
import { IGNORE_INDEX } from '../../api/experiment.ts';
import { formatCount } from '../progress/format.ts';
import { convertedFolder, type AnnotationFolder } from './annotation-folders.ts';
import type { FolderFindings } from './inspect-folder.ts';

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
    row('classes', labels === undefined ? 'no labels.txt' : `${labels.path}: ${labels.names.join(', ')}`),
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

/** The folder to train from: annotations of another format will be where the proposed import puts them. */
export const readableFolder = (folder: AnnotationFolder): string => (folder.ready ? folder.path : convertedFolder(folder.path));

/** What is missing, in the order in which it has to be done. `program` is how the user calls cdsp. */
export function findGaps(findings: FolderFindings, program: string): Gap[] {
  const { root, scribbles, masks, labels } = findings;
  const path = (folder: string) => quote(join(root, folder));
  const gaps = [...findConversions(findings, program, 'scribbles'), ...findConversions(findings, program, 'masks')];
  if (scribbles === undefined && masks === undefined) {
    gaps.push({ problem: 'no scribbles', advice: 'put index PNGs named like the images into Scribbles/' });
  } else if (scribbles === undefined && masks !== undefined) {
    const command = `${program} synth ${path(readableFolder(masks))} --output ${path('Scribbles')}`;
    gaps.push({ problem: 'no scribbles', advice: `draw some into Scribbles/; for a benchmark: ${command}` });
  }
  const highest = Math.max(-1, ...classIndices(scribbles), ...classIndices(masks));
  if (labels !== undefined && highest >= labels.names.length) {
    gaps.push({
      problem: `class ${highest} occurs, but ${labels.path} names ${labels.names.length} classes`,
      advice: `add the missing names to ${labels.path}, or renumber the classes with ${program} import --map`,
    });
  }
  return [...gaps, ...findUnscribbled(findings, program)];
}

/** Training needs a scribble of every class. Told only where every scribble was looked at. */
function findUnscribbled({ root, scribbles, masks, labels }: FolderFindings, program: string): Gap[] {
  if (scribbles === undefined || !scribbles.ready || scribbles.examined < scribbles.files) return [];
  const used = classIndices(scribbles);
  const count = labels?.names.length ?? 1 + Math.max(1, ...used, ...classIndices(masks));
  const absent = Array.from({ length: count }, (_, index) => index).filter((index) => index > 0 && !used.includes(index));
  if (absent.length === 0) return [];
  const names = absent.slice(0, 5).map((index) => (labels === undefined ? String(index) : `"${labels.names[index]}"`));
  const problem = `no scribble shows class ${names.join(', ')}${absent.length > names.length ? `, … (${absent.length} in all)` : ''}`;
  const folders = [scribbles, ...(masks?.ready === true ? [masks] : [])];
  const others = classIndices(masks).filter((index) => !used.includes(index));
  const map = [...used.map((index, place) => `${index}=${place}`), ...others.map((index) => `${index}=${IGNORE_INDEX}`)];
  const command = ({ path }: AnnotationFolder) =>
    `${program} import ${quote(join(root, path))} --output ${quote(join(root, convertedFolder(path)))} --map ${[...map, `${IGNORE_INDEX}=${IGNORE_INDEX}`].join(',')}`;
  // What is converted already was numbered by a rule that can be given again.
  const canRenumber = used.some((index) => index > 0) && folders.every(({ origin }) => origin === undefined);
  const renumber = canRenumber
    ? `renumber the others: ${folders.map(command).join(' && ')}`
    : `renumber the others with ${program} import --map`;
  const listed = labels === undefined ? '' : `take it off ${labels.path} and `;
  return [{ problem, advice: `scribble it, or ${listed}${renumber}` }];
}

/** The import that a folder needs: it holds no index PNGs, or more files have come to those that were converted. */
function findConversions({ root, images, ...findings }: FolderFindings, program: string, what: 'scribbles' | 'masks'): Gap[] {
  const folder = findings[what];
  if (folder === undefined) return [];
  const path = (name: string) => quote(join(root, name));
  const command = (from: string) =>
    `${program} import ${path(from)} --output ${path(convertedFolder(from))}${images === undefined ? '' : ` --images ${path(images.path)}`}`;
  const { origin } = folder;
  if (!folder.ready) return [{ problem: `the ${what} in ${folder.path} are not index PNGs yet`, advice: command(folder.path) }];
  if (origin === undefined || origin.newFiles === 0) return [];
  const problem = `${formatCount(origin.newFiles, 'file')} of ${origin.path} ${origin.newFiles === 1 ? 'is' : 'are'} not in ${folder.path} yet`;
  return [{ problem, advice: `${command(origin.path)} --overwrite` }];
}
