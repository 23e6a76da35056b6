import { BadInputError } from '../../../trainer-image/errors.ts';
import { KIND } from '../../api/experiment.ts';
import type { Experiment, ExperimentSpec } from '../../api/experiment.ts';
import { formatPath } from '../../api/findings.ts';
import { validateExperiment } from '../../api/parse.ts';
import { referencedIdentities } from '../../controller/references.ts';
import { planExperiment } from '../../plan/plan.ts';
import { weightsFile } from '../../plan/stage-inputs.ts';
import { ExperimentStatus } from '../../api/status.ts';
import { keyNotes, reproductionName, resultNotes } from './reproduction.ts';
import type { Reproduction, ReproductionOptions } from './reproduction.ts';

/** An experiment as a cluster shows it, checked. */
interface FinishedRun {
  readonly experiment: Experiment;
  readonly metadata: { readonly namespace?: string; readonly uid?: string; readonly generation?: number };
  readonly status: ExperimentStatus;
  /** For messages. */
  readonly source: string;
}

const refuse = (source: string, field: string, message: string): never => {
  throw new BadInputError(message, { file: source, field });
};

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function readRun(object: unknown, source: string): FinishedRun {
  const experiment = validateExperiment(object, source);
  const { status } = fieldsOf(object);
  if (status === undefined)
    refuse(source, 'status', 'is missing: nothing has run, or the file is not what `kubectl get cdsp NAME -o yaml` gives');
  const parsed = ExperimentStatus.safeParse(status);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    return refuse(source, `status.${formatPath(path)}`, `is not as this version of cdsp knows it: ${message}`);
  }
  const { namespace, uid, generation } = fieldsOf(fieldsOf(object).metadata);
  return {
    experiment,
    metadata: {
      namespace: typeof namespace === 'string' ? namespace : undefined,
      uid: typeof uid === 'string' ? uid : undefined,
      generation: typeof generation === 'number' ? generation : undefined,
    },
    status: parsed.data,
    source,
  };
}

/** The API server's default for what nobody has looked at. */
const UNSEEN = -1;

/** Only what has succeeded, and as the spec is now, can be repeated. */
function checkFinished({ status, metadata, source }: FinishedRun): { finishedAt: string } {
  const { observedGeneration, conditions = [] } = status;
  const { generation = observedGeneration } = metadata;
  if (observedGeneration === undefined || observedGeneration === UNSEEN)
    return refuse(source, 'status', 'is empty: no operator has looked at the experiment yet; is one running, and for this namespace?');
  if (observedGeneration !== generation) {
    const message = `is ${observedGeneration}, but the spec is of generation ${generation}: it was edited and has not run since; wait until it has`;
    return refuse(source, 'status.observedGeneration', message);
  }
  const succeeded = conditions.find(({ type }) => type === 'Succeeded');
  if (succeeded?.status === 'True') return { finishedAt: succeeded.lastTransitionTime };
  const said = succeeded === undefined ? '' : `: ${succeeded.reason}: ${succeeded.message}`;
  const state = succeeded?.status === 'False' ? `the run has failed${said}; there is nothing to repeat` : `the run is not finished${said}`;
  return refuse(source, 'status.conditions', state);
}

const NO_IMAGE = 'is missing: nothing says which trainer image ran; where every stage was reused, repeat the experiment that made them';

const NO_DIGEST =
  'has no digest to pull it by: it was loaded onto the node, not pulled from a registry; push it to one, name it there in config.trainerImage of the chart (or in spec.image, as far as the operator allows it), and run the experiment again: that run can be repeated';

/** The image that ran, so that it can be pulled again. */
function pinnedImage({ status, source }: FinishedRun): string {
  const field = 'status.provenance.image';
  const { image: ran, trainerImage } = status.provenance ?? {};
  // Where every stage was there already, no pod has run.
  const image = ran ?? (trainerImage?.includes('@sha256:') ? trainerImage : undefined) ?? refuse(source, field, NO_IMAGE);
  const reference = image.replace(/^[a-z-]+:\/\//, '');
  if (/^[^@]+@sha256:[0-9a-f]{64}$/.test(reference)) return reference;
  return refuse(source, field, `"${image}" ${NO_DIGEST}`);
}

/** Generated scenes follow from their settings and the trainer image; other data need a digest. */
function pinnedDataset({ experiment, status, source }: FinishedRun): ExperimentSpec['dataset'] {
  const { dataset } = experiment.spec;
  const digest = status.provenance?.datasetDigest ?? dataset.digest;
  if (digest === undefined) {
    if (dataset.generator !== undefined) return dataset;
    return refuse(
      source,
      'status.provenance.datasetDigest',
      'is missing: nothing says which data were read; spec.dataset.digest tells it of data that lie in a folder',
    );
  }
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return { ...dataset, digest };
  return refuse(source, 'status.provenance.datasetDigest', `"${digest}" is no SHA-256 digest`);
}

/** Paths without a volume lead into the run's own claim, which is another one now. */
function withDataOn(claim: () => string, spec: ExperimentSpec): Pick<ExperimentSpec, 'dataset' | 'pseudoLabels' | 'model'> {
  const located = <Place extends { claimName?: string; image?: string }>(place: Place): Place =>
    place.claimName === undefined && place.image === undefined ? { ...place, claimName: claim() } : place;
  const { dataset, pseudoLabels, model } = spec;
  return {
    dataset: { ...dataset, ...(dataset.folder === undefined ? {} : { folder: located(dataset.folder) }) },
    pseudoLabels: { ...pseudoLabels, ...(pseudoLabels.external === undefined ? {} : { external: located(pseudoLabels.external) }) },
    model: { ...model, ...(weightsFile(model) === undefined ? {} : { weightsFrom: located(model.weightsFrom ?? {}) }) },
  };
}

/** The operator makes a new one. */
const withoutClaim = (storage: ExperimentSpec['storage']): ExperimentSpec['storage'] =>
  Object.fromEntries(Object.entries(storage).filter(([field]) => field !== 'claimName')) as ExperimentSpec['storage'];

/** The spec that repeats the run: everything that was found out while it ran is written into it. */
function pinnedSpec(run: FinishedRun, sameStorage: boolean): ExperimentSpec {
  const { experiment, status, source } = run;
  const { spec } = experiment;
  const claim = (): string =>
    status.storage?.claimName ??
    spec.storage.claimName ??
    refuse(source, 'status.storage.claimName', 'is missing: nothing says on which claim the run’s files lie');
  const pinned = {
    ...spec,
    seed: status.provenance?.seed ?? spec.seed,
    suspend: false,
    image: pinnedImage(run),
    dataset: pinnedDataset(run),
  };
  if (sameStorage) return { ...pinned, storage: { ...spec.storage, claimName: claim() } };
  return { ...pinned, ...withDataOn(claim, pinned), storage: withoutClaim(spec.storage) };
}

const ALLOWED =
  'An operator takes this image where its own trainer image is of the same repository by tag, or is this one by digest; else allowedImages has to list it.';

/** Keys hold image and data as they are written: what was named by a tag, or without a digest, has another one now. */
function storageNote({ experiment, status }: FinishedRun, spec: ExperimentSpec): string {
  const plan = planExperiment({ ...experiment, spec }, { trainerVersion: spec.image ?? '', identities: referencedIdentities(spec) });
  const isSame = ({ name, key }: { name: string; key: string }) => status.stages?.some((stage) => stage.name === name && stage.key === key);
  const same = plan.stages.filter(isSame).map(({ name }) => name);
  return same.length > 0
    ? `It shares the claim of that run; stages whose keys are the same are not run again: ${same.join(', ')}.`
    : 'It shares the claim of that run, and runs every stage again: what is pinned now was not in that run, which gives every stage another key.';
}

function notesOf(run: FinishedRun, spec: ExperimentSpec, finishedAt: string, sameStorage: boolean): string[] {
  const { experiment, metadata, status } = run;
  const { namespace, uid, generation } = metadata;
  const name = `${namespace === undefined ? '' : `${namespace}/`}${experiment.metadata.name}`;
  const facts = [`uid ${uid ?? 'unknown'}`, `generation ${generation ?? 'unknown'}`, `succeeded ${finishedAt}`].join(', ');
  return [
    `Repeats the ${KIND} ${name} (${facts}).`,
    'Trainer image, data set and seed are those that ran, every default is written out.',
    ...(status.provenance?.trainerImage === spec.image ? [] : [ALLOWED]),
    ...(experiment.spec.dataset.folder === undefined
      ? []
      : ['The digest names the data; that they are the same still is for their owner to see.']),
    ...(sameStorage ? [storageNote(run, spec)] : []),
    ...keyNotes(status.stages ?? []),
    ...resultNotes(status.results ?? {}),
  ];
}

/**
 * The experiment that repeats a run in a cluster.
 * @param object as the API server gives it, with its status
 * @param source for messages: what the object was read from
 * @throws ExperimentError where it is no experiment, BadInputError where the run is not finished or what it came from is not known
 */
export function buildClusterReproduction(object: unknown, source: string, options: ReproductionOptions = {}): Reproduction {
  const { sameStorage = false } = options;
  const run = readRun(object, source);
  const { finishedAt } = checkFinished(run);
  const spec = pinnedSpec(run, sameStorage);
  const name = reproductionName(run.experiment.metadata.name, options.name);
  const { namespace } = run.metadata;
  return {
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec,
    notes: notesOf(run, spec, finishedAt, sameStorage),
  };
}
