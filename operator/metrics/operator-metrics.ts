import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** What the operator tells of itself. */
export class OperatorMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #queueDepth: Gauge;
  readonly #leader: Gauge;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'cdsp_operator_api_requests_total',
      help: 'Requests to the API server by verb, resource and status.',
      labelNames: ['verb', 'resource', 'status'],
      registers,
    });
    this.#queueDepth = new Gauge({ name: 'cdsp_operator_queue_depth', help: 'Experiments that wait for a worker.', registers });
    this.#leader = new Gauge({ name: 'cdsp_operator_leader', help: '1 on the replica that leads.', registers });
  }

  request(verb: string, path: string, status: number): void {
    this.#requests.inc({ verb, resource: resourceOf(path), status: String(status) });
  }

  text({ queueDepth, isLeading }: { queueDepth: number; isLeading: boolean }): Promise<string> {
    this.#queueDepth.set(queueDepth);
    this.#leader.set(isLeading ? 1 : 0);
    return this.#registry.metrics();
  }
}

/** The resource in a path of the API: names would make a series each. */
function resourceOf(path: string): string {
  const match = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/[^/]+(?:\/([^/]+))?)?$/.exec(path);
  if (match === null) return 'other';
  return match[2] === undefined ? match[1] : `${match[1]}/${match[2]}`;
}
