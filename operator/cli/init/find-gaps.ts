import { join, parse } from 'node:path';
import { quote } from '../command-name.ts';
import { IGNORE_INDEX } from '../../api/experiment.ts';
import { formatCount } from '../progress/format.ts';
import { ANNOTATION_NAMES, convertedFolder, fileName, unmatched, type AnnotationFolder } from './annotation-folders.ts';
import type { FolderFindings } from './inspect-folder.ts';

/** Something that has to be done before the experiment runs, with the command or the step that does it. */
export interface Gap {
  readonly problem: string;
  readonly advice: string;
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
  const kinds = ['scribbles', 'masks'] as const;
  const gaps = kinds.flatMap((what) => [...findMismatch(findings, what), ...findConversions(findings, program, what)]);
  if (scribbles === undefined) {
    const command = masks && `${program} synth ${path(readableFolder(masks))} --output ${path('Scribbles')}`;
    const advice =
      command === undefined
        ? 'put index PNGs named like the images into Scribbles/'
        : `draw some into Scribbles/; for a benchmark: ${command}`;
    gaps.push({ problem: 'no scribbles', advice: [...adviseUnrecognised(findings), advice].join(', or ') });
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

/** Annotations go with images by name; where none does, nothing can be trained on or scored. */
function findMismatch({ images, ...findings }: FolderFindings, what: 'scribbles' | 'masks'): Gap[] {
  const folder = findings[what];
  if (folder === undefined || images === undefined) return [];
  const strays = unmatched(folder, images.ids);
  if (strays.length < folder.ids.size) return [];
  // An example that belongs together, where names were made longer.
  const pairs = strays.slice(0, 20).map((id) => ({ id, file: images.files.find((name) => id.includes(parse(name).name)) }));
  const { id, file = images.files[0] } = pairs.find((pair) => pair.file !== undefined) ?? pairs[0];
  return [
    {
      problem: `${formatCount(folder.ids.size, what.slice(0, -1))} in ${folder.path}, none named like an image, for example ${fileName(folder, id)} beside ${file}`,
      advice: `name each like its image, such as ${fileName(folder, parse(file).name)}`,
    },
  ];
}

/** What to do with folders that may be the scribbles under a name that is not looked for. */
function adviseUnrecognised({ unrecognised }: FolderFindings): string[] {
  return unrecognised.map(({ path }) => {
    const names = ANNOTATION_NAMES.scribbles.join(', ');
    return `if ${path} holds them, set spec.dataset.folder.scribbles: ${path} in the experiment, or rename it (recognised: ${names})`;
  });
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
