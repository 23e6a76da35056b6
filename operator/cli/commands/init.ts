import { existsSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { FOLDER_NAMES } from '../../api/experiment.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { commandName, packageFile, quote, shortPath } from '../command-name.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { inspectFolder, LABELS, type FolderFindings } from '../init/inspect-folder.ts';
import { renderExperiment, type ExperimentDraft } from '../init/render-experiment.ts';
import { fewImagesNote, prepareSplits, type PreparedSplits } from '../init/prepare-splits.ts';
import { classIndices, findGaps, readableFolder } from '../init/find-gaps.ts';
import { describeFindings } from '../init/render-findings.ts';
import { suggestSettings } from '../init/suggest-settings.ts';
import { formatCount } from '../progress/format.ts';
import { writeTextFile } from '../write-text-file.ts';

/**
 * Inspects a data folder and writes an experiment for it.
 * @returns the exit code: bad input where something has to be done before the experiment can run
 * @throws BadInputError if there are no images, or the output file exists and `force` is not set
 */
export async function initCommand(folder: string, options: { output: string; makeSplits: boolean; force: boolean }): Promise<number> {
  const root = resolve(folder);
  const output = resolve(options.output);
  if (existsSync(output) && !options.force) {
    throw new BadInputError('the file exists; choose another with --output, or overwrite it with --force', { file: options.output });
  }
  const findings = await inspectFolder(root);
  const { images } = findings;
  print(`Found in ${folder}:`, ...describeFindings({ ...findings, root: folder }), '');
  if (images === undefined) {
    throw new BadInputError('no images (JPEG, PNG or WebP); put them into a sub-folder such as JPEGImages', { file: folder });
  }
  const program = commandName(process.cwd(), process.env);
  const gaps = findGaps({ ...findings, root: folder }, program);
  const command = `${program} init ${quote(folder)} --output ${quote(options.output)} --make-splits`;
  const splits = await prepareSplits(findings, options.makeSplits, command);
  const draft = draftExperiment(findings, images, splits, relativePath(dirname(output), root));
  await writeTextFile(output, renderExperiment(draft));

  print(
    ...splits.notes,
    `Wrote ${options.output}: ${formatCount(draft.trainImages, 'training image')}, ${draft.settings.segmentEpochs} epochs of segment.`,
  );
  const few = fewImagesNote(findings, draft.trainImages);
  if (few !== undefined) print(few);
  if (!draft.hasMasks) {
    const guide = shortPath(process.cwd(), packageFile('docs/data.md'));
    print(`No masks: the run trains and predicts, but nothing is scored. ${guide} says what masks would add.`);
  }
  if (draft.classesAreGuessed) print('Nothing names the classes; write their names into the file.');
  const missing = [...gaps, ...splits.gaps];
  if (missing.length === 0) {
    print('', `Next: ${program} validate ${quote(options.output)} && ${program} run ${quote(options.output)}`);
    return EXIT_CODES.success;
  }
  print('', 'Missing:', ...missing.flatMap(({ problem, advice }) => [`  - ${problem}`, `    ${advice}`]));
  return EXIT_CODES.badInput;
}

function draftExperiment(
  findings: FolderFindings,
  images: NonNullable<FolderFindings['images']>,
  splits: PreparedSplits,
  path: string,
): ExperimentDraft {
  const { scribbles, masks, labels } = findings;
  const highest = Math.max(1, ...classIndices(scribbles), ...classIndices(masks));
  const guessed = Array.from({ length: highest + 1 }, (_, index) => (index === 0 ? 'background' : `class-${index}`));
  return {
    name: resourceName(basename(findings.root)),
    reference: packageFile('docs/reference/experiment.md'),
    folder: {
      path,
      images: images.path,
      scribbles: scribbles === undefined ? FOLDER_NAMES.scribbles : readableFolder(scribbles),
      masks: masks === undefined ? FOLDER_NAMES.masks : readableFolder(masks),
      trainSplit: splits.train,
      valSplit: splits.val,
    },
    hasMasks: masks !== undefined,
    trainImages: splits.trainImages,
    classes: labels?.path === LABELS ? undefined : (labels?.names ?? guessed),
    classesAreGuessed: labels === undefined,
    settings: suggestSettings(splits.trainImages, images.medianShortSide),
  };
}

function relativePath(from: string, to: string): string {
  const path = relative(from, to);
  return path === '' ? '.' : path;
}

/** A name that the API server takes, from that of a folder. */
function resourceName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'experiment' : name;
}

function print(...lines: string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
