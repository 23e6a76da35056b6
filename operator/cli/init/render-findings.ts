import { formatCount } from '../progress/format.ts';
import { fileName, unmatched, type AnnotationFolder } from './annotation-folders.ts';
import type { FolderFindings } from './inspect-folder.ts';

/** What was found, a line each. */
export function describeFindings({ images, scribbles, masks, train, val, labels, unrecognised }: FolderFindings): string[] {
  const row = (name: string, text: string) => `  ${name.padEnd(10)} ${text}`;
  const list = (split: FolderFindings['train']) =>
    split === undefined ? 'not found' : `${split.path}, ${formatCount(split.count, 'name')}`;
  const size = images && `about ${images.medianLongSide}×${images.medianShortSide} pixels`;
  return [
    row('images', images === undefined ? 'not found' : `${images.path}/, ${formatCount(images.ids.length, 'file')}, ${size}`),
    row('scribbles', describeAnnotations(scribbles, images)),
    row('masks', describeAnnotations(masks, images)),
    row('train', list(train)),
    row('val', list(val)),
    row('classes', labels === undefined ? 'no labels.txt' : `${labels.path}: ${labels.names.join(', ')}`),
    ...unrecognised.map(({ path, files }) => row('other', `${path}/, ${formatCount(files, 'file')} named like the images`)),
  ];
}

function describeAnnotations(folder: AnnotationFolder | undefined, images: FolderFindings['images']): string {
  if (folder === undefined) return 'not found';
  const looked = folder.examined < folder.files ? ` (${folder.examined} looked at)` : '';
  const others = images === undefined ? [] : unmatched(folder, images.ids);
  const strays = others.length === 0 ? '' : `; ${others.length} of them named like no image, such as ${fileName(folder, others[0])}`;
  return `${folder.path}/, ${formatCount(folder.files, 'file')}${looked}: ${folder.explanation}${strays}`;
}
