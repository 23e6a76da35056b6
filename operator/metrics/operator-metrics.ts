import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestStatus } from '../controller/cluster.ts';
import { ERROR_REASONS, errorReason } from './error-reason.ts';
import { experimentMetrics } from './experiment-metrics.ts';
import type { ExperimentFacts } from './experiment-metrics.ts';

/** The operator as it is at the moment of a scrape. */
export interface OperatorState {
  readonly queueDepth: number;
  readonly isLeading: boolean;
  /** All of them, from the cache. Only the leader tells of them, so that every series exists once. */
  readonly experiments?: Iterable<ExperimentFacts>;
}

export interface OperatorMetricsOptions {
  readonly version?: string;
  /** In milliseconds since the epoch. */
  readonly now?: () => number;
}

const RECONCILE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const HAND_OVER_BUCKETS = [0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60];
/** Watched by every operator; the counters begin at 0, or the first restart would not be seen as an increase. */
const WATCHED = ['cdspexperiments', 'jobs', 'pods'];

/** What the operator tells of itself and, while it leads, of the experiments. */
export class OperatorMetrics {
  readonly #registry = new Registry();
  readonly #now: () => number;
  readonly #requests: Counter;
  readonly #queueDepth: Gauge;
  readonly #leader: Gauge;
  readonly #reconciles: Histogram;
  readonly #errors: Counter;
  readonly #handOvers: Histogram;
  readonly #watchRestarts: Counter;

  constructor({ version = 'unknown', now = Date.now }: OperatorMetricsOptions = {}) {
    const registers = [this.#registry];
    this.#now = now;
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'cdsp_operator_api_requests_total',
      help: 'Requests to the API server by verb, resource and status, which is "error" where no answer came.',
      labelNames: ['verb', 'resource', 'status'],
      registers,
    });
    this.#queueDepth = new Gauge({ name: 'cdsp_operator_queue_depth', help: 'Experiments that wait for a worker.', registers });
    this.#leader = new Gauge({ name: 'cdsp_operator_leader', help: '1 on the replica that leads.', registers });
    this.#reconciles = new Histogram({
      name: 'cdsp_operator_reconcile_duration_seconds',
      help: 'Time that one look at one experiment took, requests included.',
      buckets: RECONCILE_BUCKETS,
      registers,
    });
    this.#errors = new Counter({
      name: 'cdsp_operator_reconcile_errors_total',
      help: 'Looks at an experiment that failed and are made again, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#handOvers = new Histogram({
      name: 'cdsp_operator_handover_seconds',
      help: 'From the success of a stage’s pod, as the operator sees it, to the creation of the next stage’s Job, by experiments that waited for it.',
      buckets: HAND_OVER_BUCKETS,
      registers,
    });
    this.#watchRestarts = new Counter({
      name: 'cdsp_operator_watch_restarts_total',
      help: 'Watches that failed, or ended at once and brought nothing, and were begun again, by resource.',
      labelNames: ['resource'],
      registers,
    });
    const build = new Gauge({
      name: 'cdsp_operator_build_info',
      help: 'Always 1; version of the operator.',
      labelNames: ['version'],
      registers,
    });
    build.set({ version }, 1);
    for (const reason of ERROR_REASONS) this.#errors.inc({ reason }, 0);
    for (const resource of WATCHED) this.#watchRestarts.inc({ resource }, 0);
  }

  request(verb: string, path: string, status: RequestStatus): void {
    this.#requests.inc({ verb, resource: resourceOf(path), status: String(status) });
  }

  reconciled(seconds: number): void {
    this.#reconciles.observe(seconds);
  }

  reconcileFailed(error: unknown): void {
    this.#errors.inc({ reason: errorReason(error) });
  }

  handedOver(seconds: number): void {
    this.#handOvers.observe(seconds);
  }

  /** @param resource its plural, such as pods */
  watchRestarted(resource: string): void {
    this.#watchRestarts.inc({ resource });
  }

  /** In Prometheus' text format. */
  async text({ queueDepth, isLeading, experiments = [] }: OperatorState): Promise<string> {
    this.#queueDepth.set(queueDepth);
    this.#leader.set(isLeading ? 1 : 0);
    const own = await this.#registry.metrics();
    return isLeading ? `${own}\n${experimentMetrics(experiments, this.#now())}` : own;
  }
}

/** The resource in a path of the API: names would make a series each. */
function resourceOf(path: string): string {
  const match = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/[^/]+(?:\/([^/]+))?)?$/.exec(path);
  if (match === null) return 'other';
  return match[2] === undefined ? match[1] : `${match[1]}/${match[2]}`;
}
