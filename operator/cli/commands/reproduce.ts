import { text } from 'node:stream/consumers';
import { readFile } from 'node:fs/promises';
import { readingError } from '../../../trainer-image/data/file-errors.ts';
import { readYaml } from '../../api/parse.ts';
import { buildClusterReproduction } from '../reproduce/cluster-reproduction.ts';
import { renderReproduction } from '../reproduce/reproduction.ts';
import type { Reproduction, ReproductionOptions } from '../reproduce/reproduction.ts';
import { UsageError } from '../usage-error.ts';

export interface ReproduceCommandOptions extends ReproductionOptions {
  /** A file with an experiment and its status; - is standard input. */
  readonly file?: string;
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  /** Of a local run: where its artifacts are. */
  readonly storage?: string;
}

/** Prints the experiment that repeats a run: of a cluster, of a file that was read from one, or of this machine. */
export async function reproduceCommand(source: string | undefined, options: ReproduceCommandOptions): Promise<void> {
  process.stdout.write(renderReproduction(await reproduce(source, options)));
}

/** Names of experiments have neither dots nor slashes. */
const isPath = (source: string): boolean => /[./]/.test(source);

async function reproduce(source: string | undefined, options: ReproduceCommandOptions): Promise<Reproduction> {
  const { file } = options;
  checkCompany(source, options);
  if (file !== undefined) return buildClusterReproduction(await readFromFile(file), file === '-' ? 'standard input' : file, options);
  if (source === undefined) throw new UsageError('NAME', 'name an experiment of the cluster, the YAML of a local run, or --file');
  if (isPath(source)) {
    const object = await readFromFile(source);
    if (typeof object === 'object' && object !== null && 'status' in object) return buildClusterReproduction(object, source, options);
    const { reproduceLocalRun } = await import('../reproduce/local-run.ts');
    return reproduceLocalRun(source, options);
  }
  const { readFromCluster } = await import('../reproduce/read-experiment.ts');
  const read = await readFromCluster(source, options);
  return buildClusterReproduction(read.object, read.source, options);
}

/** @throws UsageError for options that have no meaning together */
function checkCompany(source: string | undefined, { file, namespace, context, kubeconfig, storage }: ReproduceCommandOptions): void {
  if (file !== undefined && source !== undefined)
    throw new UsageError('--file', 'goes without a name; the file says which experiment it is');
  const isFromCluster = file === undefined && source !== undefined && !isPath(source);
  for (const [option, value] of Object.entries({ namespace, context, kubeconfig })) {
    if (value !== undefined && !isFromCluster) throw new UsageError(`--${option}`, 'goes with the name of an experiment in a cluster');
  }
  if (storage !== undefined && (file !== undefined || isFromCluster))
    throw new UsageError('--storage', 'goes with the YAML of a local run');
}

async function readFromFile(file: string): Promise<unknown> {
  const yaml =
    file === '-'
      ? await text(process.stdin)
      : await readFile(file, 'utf8').catch((cause: unknown) => {
          throw readingError(file, cause);
        });
  return readYaml(yaml, file === '-' ? 'standard input' : file);
}
