import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { STAGES as StageNames } from '../api/experiment.ts';
import type { ImportCommandOptions } from './commands/import.ts';
import type { PredictCommandOptions } from './commands/predict.ts';
import type { ReproduceCommandOptions } from './commands/reproduce.ts';
import type { ReportCommandOptions } from './commands/report.ts';
import type { RunCommandOptions } from './commands/run.ts';
import type { SynthCommandOptions } from './commands/synth.ts';
import { exitCodeHelp } from './exit-codes.ts';

/** How a command says that it did its work but the outcome is bad, e.g. `validate` with an invalid file. */
export interface CommandContext {
  setExitCode(code: number): void;
}

/** The schema's, repeated so that help need not load it; `satisfies` makes a difference a type error. */
const STAGES = ['classify', 'pseudo-label', 'segment', 'evaluate'] as const satisfies typeof StageNames;

/**
 * The command line. Only this file and commander are loaded to print help: each action imports its own code, so no command
 * pays for another, and none but a stage loads TensorFlow.
 */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('cdsp');
  program
    .description('Trains segmentation networks from scribbles. An experiment is a YAML file; see examples/ and docs/cli.md.')
    .version(readVersion())
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('Run `cdsp --help` or `cdsp help COMMAND` to see what there is.')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `\n${exitCodeHelp()}`);

  program
    .command('run')
    .summary('run an experiment: classify, pseudo-label, segment, evaluate, report')
    .description('Runs an experiment on this machine. Complete stages are reused; the same command resumes after an interruption.')
    .argument('<file>', 'experiment YAML')
    .option('--storage <folder>', 'where artifacts are kept (default: spec.storage.path, else runs/ beside the file)')
    .addOption(new Option('--until <stage>', 'stop after this stage').choices(STAGES))
    .option('--verify', 'compare what complete stages hold with their manifests, byte for byte', false)
    .option('--no-report', 'write no HTML report')
    .option('--json', 'events as JSON lines on standard output, nothing else')
    .action(async (file: string, options: RunCommandOptions) => {
      const { runCommand } = await import('./commands/run.ts');
      context.setExitCode(await runCommand(file, options));
    });

  program
    .command('plan')
    .summary('show what would run and why')
    .description(
      'Shows each stage with its key and whether it would run, resume or be reused. Starts nothing; it keeps digests of the data for the next plan.',
    )
    .argument('<file>', 'experiment YAML')
    .option('--storage <folder>', 'where artifacts are kept')
    .option('--verify', 'compare what complete stages hold with their manifests, byte for byte', false)
    .option('--json', 'the plan as JSON')
    .action(async (file: string, options: { storage?: string; verify: boolean; json?: boolean }) => {
      const { planCommand } = await import('./commands/plan.ts');
      await planCommand(file, options);
    });

  program
    .command('validate')
    .summary('check experiments')
    .description('Checks experiments without running them; every finding is printed with its field.')
    .argument('<files...>', 'experiment YAMLs')
    .option('--no-data', 'check the YAML only, not the files that it names')
    .option('--json', 'a JSON line for each file')
    .action(async (files: string[], options: { data: boolean; json?: boolean }) => {
      const { validateCommand } = await import('./commands/validate.ts');
      context.setExitCode(await validateCommand(files, options));
    });

  program
    .command('report')
    .summary('write the HTML report of an experiment')
    .description('Writes one self-contained HTML file from what is there, also from an unfinished run.')
    .argument('<source>', 'experiment YAML, or a folder of artifacts: then of the latest run in it')
    .option('--storage <folder>', 'where the artifacts of the YAML file are kept')
    .option('--experiment <name>', 'which one, where several have run in the folder')
    .option('-o, --output <file>', 'the HTML file (default: reports/ in the folder of artifacts)')
    .action(async (source: string, options: ReportCommandOptions) => {
      const { reportCommand } = await import('./commands/report.ts');
      await reportCommand(source, options);
    });

  program
    .command('init')
    .summary('write an experiment for a data folder')
    .description('Inspects a data folder, says what it found and what is missing, and writes a commented experiment for it.')
    .argument('<folder>', 'folder with images and scribbles')
    .option('-o, --output <file>', 'the experiment', 'cdsp.yaml')
    .option('--make-splits', 'write ImageSets/Segmentation/train.txt and val.txt where there are none', false)
    .option('--force', 'overwrite the output file', false)
    .action(async (folder: string, options: { output: string; makeSplits: boolean; force: boolean }) => {
      const { initCommand } = await import('./commands/init.ts');
      context.setExitCode(await initCommand(folder, options));
    });

  addImportCommand(program);

  program
    .command('synth')
    .summary('draw scribbles from masks, for benchmarks')
    .description('Draws scribbles into a folder from a folder of index masks. The same seed draws the same scribbles.')
    .argument('<masks>', 'folder of index PNGs')
    .requiredOption('-o, --output <folder>', 'folder of the scribbles')
    .option('--seed <number>', 'seed of the strokes', wholeNumber, 0)
    .option('--width <pixels>', 'width of the strokes (default: 3)', positiveNumber)
    .option('--coverage <share>', 'share of an image that strokes are shortened to, down to a few widths each (default: 0.03)', shareNumber)
    .option('--overwrite', 'replace files in the output folder', false)
    .option('--json', 'progress and result as JSON lines on standard output')
    .action(async (masks: string, options: SynthCommandOptions) => {
      const { synthCommand } = await import('./commands/synth.ts');
      await synthCommand(masks, options);
    });

  program
    .command('predict')
    .summary('segment images with a trained model')
    .description('Writes a palette PNG for an image or every image of a folder, and overlays if wanted.')
    .argument('<model>', 'folder of a segment stage, or its weights.safetensors')
    .argument('<images>', 'folder of images, or one image')
    .requiredOption('-o, --output <folder>', 'folder of the predictions')
    .option('--overlay', 'also write the prediction over the image', false)
    .option('--scales <list>', 'image scales to average over, e.g. 0.75,1,1.25', scaleList, [1])
    .option('--flips', 'also average over horizontal flips', false)
    .option('--overwrite', 'replace files in the output folder', false)
    .option('--json', 'progress and result as JSON lines on standard output')
    .action(async (model: string, images: string, options: PredictCommandOptions) => {
      const { predictCommand } = await import('./commands/predict.ts');
      context.setExitCode(await predictCommand(model, images, options));
    });

  addReproduceCommand(program);
  return program;
}

function addReproduceCommand(program: Command): void {
  program
    .command('reproduce')
    .summary('print an experiment that repeats a finished run')
    .description(
      'Prints an experiment that repeats a finished run, with all that was found out while it ran written into it: of an experiment ' +
        'in a cluster by its name, of a file that `kubectl get -o yaml` gave, or of a YAML file that has run on this machine.',
    )
    .argument('[source]', 'name of an experiment in the cluster, or the YAML file of a local run')
    .option('--file <file>', 'an experiment with its status, as `kubectl get cdsp NAME -o yaml` gives it; - reads standard input')
    .option('--name <name>', 'name of the new experiment (default: the old one with -repro)')
    .option('--same-storage', 'keep the artifacts where those of the run are, and reuse what is complete there', false)
    .option('--storage <folder>', 'local runs: where the artifacts of the YAML file are kept')
    .option('-n, --namespace <namespace>', 'namespace of the experiment (default: that of the context)')
    .option('--context <context>', 'context of the kubeconfig (default: the current one)')
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, else ~/.kube/config)')
    .action(async (source: string | undefined, options: ReproduceCommandOptions) => {
      const { reproduceCommand } = await import('./commands/reproduce.ts');
      await reproduceCommand(source, options);
    });
}

function addImportCommand(program: Command): void {
  program
    .command('import')
    .summary('turn other annotation formats into index PNGs')
    .description(
      'Turns ScribbleSup XML strokes, colour masks and masks of small values into index PNGs, which `cdsp run` reads. ' +
        'What a value or colour means is worked out where that is certain, and said.',
    )
    .argument('<source>', 'folder of the annotations')
    .requiredOption('-o, --output <folder>', 'folder of the index PNGs')
    .addOption(new Option('--format <format>', 'what the files are').choices(['auto', 'strokes', 'colors', 'values']).default('auto'))
    .option('--images <folder>', 'folder of the images, to check sizes against')
    .option(
      '--labels <file>',
      'class names, lines such as "1 person" (default: labels.txt in or beside the source, else the classes that occur)',
    )
    .option('--colors <file>', 'colour masks: lines such as "#c08080 person" (default: VOC’s palette)')
    .option('--map <pairs>', 'value masks: value=class pairs, 255 = not annotated, e.g. 0=255,1=1,2=0')
    .option('--width <pixels>', 'strokes: their width', positiveNumber)
    .option('--overwrite', 'replace files in the output folder', false)
    .option('--json', 'progress and result as JSON lines on standard output')
    .action(async (source: string, options: ImportCommandOptions) => {
      const { importCommand } = await import('./commands/import.ts');
      await importCommand(source, options);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(text);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function shareNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('It must be a number above 0 and up to 1.');
  return value;
}

function scaleList(text: string): number[] {
  const scales = text.split(',').map(Number);
  if (!scales.every((scale) => scale > 0 && scale <= 4)) {
    throw new InvalidArgumentError('It must be numbers above 0 and up to 4, separated by commas.');
  }
  return scales;
}

function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
