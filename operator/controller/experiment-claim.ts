import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { ExperimentStatus } from '../api/status.ts';
import { buildClaim, buildClaimPatch, hasAskedKind, kindOfClaim } from './build-claim.ts';
import { ApiError, find, isRefusal, isThereAlready } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import type { Deeds } from './deeds.ts';
import { isOwn } from './names.ts';
import { claimsPath } from './resource-paths.ts';

export interface ExperimentClaimOptions {
  readonly cluster: Pick<Cluster, 'get' | 'create' | 'merge'>;
  readonly deeds: Pick<Deeds, 'claims'>;
  readonly experiment: ClusterExperiment;
  /** The claim's name. */
  readonly claim: string;
  /** The experiment's own status, as far as it is known. */
  readonly status: ExperimentStatus | undefined;
}

/** The volume claim of an experiment: made by the operator, unless the experiment names one, which is somebody else's to make. */
export class ExperimentClaim {
  readonly #options: ExperimentClaimOptions;

  constructor(options: ExperimentClaimOptions) {
    this.#options = options;
  }

  /** What is known of the operator's own claim, as it was made or last changed; of another one its name. */
  get storage(): ExperimentStatus['storage'] {
    const { deeds, experiment, claim, status } = this.#options;
    const { claimName, size, retention } = experiment.spec.storage;
    if (claimName !== undefined) return { claimName };
    const isMade = deeds.claims.get(this.#experimentKey) === this.#wantedId;
    return isMade ? { claimName: claim, size, retention } : status?.storage;
  }

  /** Whether the operator has made it, as far as is known. */
  get isMade(): boolean {
    return this.#options.experiment.spec.storage.claimName === undefined && this.storage !== undefined;
  }

  /** Whether it is there as the experiment wants it, as far as is known. */
  get isAsWanted(): boolean {
    const { storage } = this.#options.experiment.spec;
    const { claimName, size, retention } = this.storage ?? {};
    return storage.claimName !== undefined || (claimName !== undefined && size === storage.size && retention === storage.retention);
  }

  /**
   * Makes the operator's own claim. One that is there already is used where it is the operator's: kept artifacts are found again by an
   * experiment of the same name that asks for the same kind.
   * @throws ApiError, ClaimExists where the claim is somebody else's, or of another kind, ClaimEnding where it is being deleted
   */
  async ensure(): Promise<void> {
    const { cluster, deeds, experiment, claim } = this.#options;
    const path = claimsPath(experiment.namespace);
    // An experiment that is under way goes on, also where an earlier operator has let it have a claim of another kind.
    const isTaken = this.storage !== undefined;
    try {
      await cluster.create(path, buildClaim(experiment, claim));
    } catch (error) {
      if (!isThereAlready(error)) throw withAdvice(error);
      const existing = await cluster.get<V1PersistentVolumeClaim>(`${path}/${claim}`);
      if (!isOwn(existing)) throw foreignClaim(claim);
      if (existing.metadata?.deletionTimestamp !== undefined) throw endingClaim(claim);
      if (!isTaken && !hasAskedKind(experiment, existing)) throw otherClaim(claim, existing);
      await cluster.merge(`${path}/${claim}`, buildClaimPatch(experiment, existing));
    }
    deeds.claims.set(this.#experimentKey, this.#wantedId);
  }

  /**
   * Makes the operator's own claim again where somebody has deleted it.
   * @throws ApiError, as `ensure`
   */
  async restore(): Promise<void> {
    const existing = await this.#find();
    if (existing?.metadata?.deletionTimestamp !== undefined) throw endingClaim(this.#options.claim);
    if (existing === undefined) await this.ensure();
  }

  /**
   * When the claim was made, in milliseconds since the epoch; undefined where it is not there.
   * @throws ApiError
   */
  async madeAt(): Promise<number | undefined> {
    const existing = await this.#find();
    const { creationTimestamp, deletionTimestamp } = existing?.metadata ?? {};
    return creationTimestamp === undefined || deletionTimestamp !== undefined ? undefined : new Date(creationTimestamp).getTime();
  }

  #find(): Promise<V1PersistentVolumeClaim | undefined> {
    const { cluster, experiment, claim } = this.#options;
    return find(cluster, `${claimsPath(experiment.namespace)}/${claim}`);
  }

  get #experimentKey(): string {
    const { namespace, name } = this.#options.experiment;
    return `${namespace}/${name}`;
  }

  get #wantedId(): string {
    const { experiment, claim } = this.#options;
    const { size, retention } = experiment.spec.storage;
    return `${experiment.uid}/${claim}/${size}/${retention}`;
  }
}

const foreignClaim = (claim: string) =>
  new ApiError(
    422,
    'ClaimExists',
    `the claim ${claim} is there and not the operator's; name it in spec.storage.claimName to use it, or rename the experiment`,
  );

/** Neither class nor access modes of a claim can be changed, nor those of an experiment. */
const otherClaim = (claim: string, existing: V1PersistentVolumeClaim) =>
  new ApiError(
    422,
    'ClaimExists',
    `the claim ${claim} is there already, ${kindOfClaim(existing)}, which is not what spec.storage asks for; delete it with what is on it, ` +
      'or make the experiment anew, asking for the same or with another name',
  );

/** What the server's words say where it is the size that a quota, or a limit range, forbids. */
const IS_TOO_LARGE = /\brequests\.storage=|maximum storage usage per PersistentVolumeClaim/;

/** The schema does not know that there is no claim yet, and lets nobody ask for less. */
function withAdvice(error: unknown): unknown {
  if (!isRefusal(error) || !IS_TOO_LARGE.test(error.message)) return error;
  const { status, reason, message, retryAfterMs, fields } = error;
  const advice = 'to ask for less, delete the experiment and apply it with a smaller spec.storage.size';
  return new ApiError(status, reason, `${message}; ${advice}`, retryAfterMs, fields);
}

/** Pods keep a claim, those that have ended, too. */
const endingClaim = (claim: string) =>
  new ApiError(
    422,
    'ClaimEnding',
    `the claim ${claim} is being deleted; it goes, and is made again, when the pods that have used it are gone, those that have ended, too`,
  );
