import type { Sample } from '../data/types.ts';
import { createRate } from '../rate.ts';
import type { Entry } from './journal.ts';
import { Journal } from './journal.ts';
import type { StageContext } from './stage-context.ts';
import { makeFolderInCheckpoint } from './folder-in-checkpoint.ts';

export interface ImageLoopSettings {
  /** Folder of the journal, relative to the stage's; made. */
  readonly journal: string;
  readonly samples: readonly Sample[];
  /** What is counted over all images, whole numbers; set to 0 and then kept up to date. Sums come out the same in whatever order. */
  readonly totals: readonly Float64Array[];
  /** Whether everything that was written for an image is there, whole. Left out: nothing is. */
  readonly isThere?: (sample: Sample) => boolean;
}

/** The counts that are not 0, each after its index. */
function sparse(counts: Float64Array): number[] {
  const pairs: number[] = [];
  counts.forEach((count, index) => {
    if (count !== 0) pairs.push(index, count);
  });
  return pairs;
}

/** Whether counts fit the totals that they shall be added to. */
function fits(counts: Entry['counts'], totals: readonly Float64Array[]): boolean {
  const isFitting = (pairs: readonly number[], { length }: Float64Array) =>
    pairs.length % 2 === 0 && pairs.every((value, at) => at % 2 === 1 || value < length);
  return counts.length === totals.length && counts.every((pairs, at) => isFitting(pairs, totals[at]));
}

/**
 * A loop over images that any number of processes share, and that goes on where it was when they were killed. Each begins with its own
 * share of the images and then takes those that nobody has done yet, whoever they belong to. So nobody waits: one process alone comes to
 * the end, and an image that two work on at the same time comes out the same and is counted once.
 */
export class ImageLoop {
  readonly #settings: ImageLoopSettings;
  readonly #context: StageContext;
  readonly #journal: Journal;
  readonly #byId: ReadonlyMap<string, Sample>;
  readonly #done = new Set<string>();
  readonly #given = new Set<string>();
  readonly #rate = createRate(performance.now());
  #last = performance.now();
  #seconds = 0;

  /** @throws as makeFolderInCheckpoint and Journal do */
  constructor(settings: ImageLoopSettings, context: StageContext) {
    this.#settings = settings;
    this.#context = context;
    this.#journal = new Journal(makeFolderInCheckpoint(context.output, settings.journal), context.process);
    this.#byId = new Map(settings.samples.map((sample) => [sample.id, sample]));
    for (const total of settings.totals) total.fill(0);
    this.#readNews();
  }

  /** Images that are done, by whichever process. */
  get done(): number {
    return this.#done.size;
  }

  get isComplete(): boolean {
    return this.done === this.#settings.samples.length;
  }

  /** Working time in the loop, of all processes and attempts together. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Of this process, lately. */
  get imagesPerSecond(): number | undefined {
    return this.#rate.perSecond();
  }

  /**
   * The next image for this process, each once; undefined when all are done or under way here. Other processes' images are taken at a
   * place that depends on the process, so that two that help out rarely meet.
   */
  next(): Sample | undefined {
    this.#readNews();
    const { number, of } = this.#context.shard;
    const { samples } = this.#settings;
    const isOpen = ({ id }: Sample) => !this.#done.has(id) && !this.#given.has(id);
    let sample = samples.find((candidate, index) => index % of === number && isOpen(candidate));
    if (sample === undefined) {
      const open = samples.filter(isOpen);
      sample = open.at(Math.floor((open.length * (number + 1)) / (of + 1)));
    }
    if (sample !== undefined) this.#given.add(sample.id);
    return sample;
  }

  /**
   * Notes that an image is done; call it after whatever was written for it.
   * @param counts what to add to the totals; left out: nothing
   * @throws as Journal.append does
   */
  keep({ id }: Sample, counts?: readonly Float64Array[]): void {
    const now = performance.now();
    const entry = { id, counts: counts?.map(sparse) ?? this.#settings.totals.map(() => []), seconds: (now - this.#last) / 1000 };
    this.#last = now;
    this.#rate.add(1, now);
    this.#journal.append(entry);
    this.#count(entry);
  }

  #readNews(): void {
    const { totals, isThere = () => true } = this.#settings;
    for (const entry of this.#journal.news()) {
      const sample = this.#byId.get(entry.id);
      if (sample !== undefined && fits(entry.counts, totals) && (this.#done.has(entry.id) || isThere(sample))) this.#count(entry);
    }
  }

  #count({ id, counts, seconds }: Entry): void {
    this.#seconds += seconds;
    if (this.#done.has(id)) return;
    this.#done.add(id);
    counts.forEach((pairs, list) => {
      for (let at = 0; at < pairs.length; at += 2) this.#settings.totals[list][pairs[at]] += pairs[at + 1];
    });
  }
}
