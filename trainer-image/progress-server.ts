import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { StageEvent, StageInput } from '../operator/api/stage-contract.ts';

type Progress = Extract<StageEvent, { type: 'progress' }>;

/** Most values of a label: classes there are at most 255, terms of the loss a few. */
const MOST_VALUES = 256;
/** Longest value of a label, as long as a class name in an experiment. */
const LONGEST_VALUE = 63;

/** Every metric of a stage, for people and for Prometheus. Node's and the process's own come with them. */
export const STAGE_METRICS = [
  ['cdsp_stage_loss', 'Latest loss, by term; term "total" is their weighted sum.', 'term'],
  ['cdsp_stage_learning_rate', 'Learning rate of the latest step.'],
  ['cdsp_stage_gradient_norm', 'Norm of the latest gradients before they were scaled down, where they are.'],
  ['cdsp_stage_epoch', 'Epochs done, of training stages.'],
  ['cdsp_stage_images_per_second', 'Images a second of this process, lately.'],
  ['cdsp_stage_done', 'Steps or images done, by all processes of the stage.'],
  ['cdsp_stage_size', 'Steps or images in all.'],
  ['cdsp_stage_mean_iou', 'Latest mIoU, in [0, 1].'],
  ['cdsp_stage_iou', 'Latest IoU by class, in [0, 1]; no series for a class that does not occur.', 'class'],
] as const satisfies readonly (readonly [name: string, help: string, label?: string])[];
export const UPDATES_METRIC = ['cdsp_stage_updates_total', 'Progress reports so far.'] as const;

type GaugeName = (typeof STAGE_METRICS)[number][0];

/** The gauges of a stage's latest progress. */
class ProgressGauges {
  readonly #gauges: ReadonlyMap<GaugeName, Gauge>;
  readonly #updates: Counter;
  readonly #values = new Map<string, Set<string>>();

  constructor(registry: Registry) {
    const registers = [registry];
    const make = ([name, help, label]: readonly [string, string, string?]) =>
      new Gauge({ name, help, labelNames: label === undefined ? [] : [label], registers });
    this.#gauges = new Map(STAGE_METRICS.map((metric) => [metric[0], make(metric)]));
    this.#updates = new Counter({ name: UPDATES_METRIC[0], help: UPDATES_METRIC[1], registers });
  }

  update({ loss, terms, learningRate, gradientNorm, epoch, imagesPerSecond, done, total, meanIou, iou, classes }: Progress): void {
    this.#updates.inc();
    const single = {
      cdsp_stage_done: done,
      cdsp_stage_size: total,
      cdsp_stage_learning_rate: learningRate,
      cdsp_stage_gradient_norm: gradientNorm,
      cdsp_stage_epoch: epoch,
      cdsp_stage_images_per_second: imagesPerSecond,
      cdsp_stage_mean_iou: meanIou,
    } satisfies Partial<Record<GaugeName, number | undefined>>;
    for (const [name, value] of Object.entries(single)) if (value !== undefined) this.#gauges.get(name as GaugeName)?.set(value);
    for (const [term, value] of Object.entries({ ...terms, ...(loss === undefined ? {} : { total: loss }) })) {
      this.#set('cdsp_stage_loss', 'term', term, value);
    }
    classes?.forEach((name, index) => this.#set('cdsp_stage_iou', 'class', name, iou?.[index] ?? null));
  }

  #set(name: GaugeName, label: string, value: string, measured: number | null): void {
    const text = value.slice(0, LONGEST_VALUE);
    const values = this.#values.get(name) ?? new Set();
    this.#values.set(name, values);
    if (values.size >= MOST_VALUES && !values.has(text)) return;
    values.add(text);
    if (measured === null) this.#gauges.get(name)?.remove({ [label]: text });
    else this.#gauges.get(name)?.set({ [label]: text }, measured);
  }
}

/**
 * What a stage shows of itself while it runs: /progress for the operator (JSON), /metrics for Prometheus. Whatever happens to it, the stage
 * goes on.
 */
export class ProgressServer {
  readonly #registry = new Registry();
  readonly #gauges: ProgressGauges;
  readonly #server: Server;
  #latest: Partial<Progress> = {};

  constructor({ experiment, stage, key }: Pick<StageInput, 'experiment' | 'stage' | 'key'>) {
    this.#registry.setDefaultLabels({ experiment, stage });
    collectDefaultMetrics({ register: this.#registry });
    this.#gauges = new ProgressGauges(this.#registry);
    this.#server = createServer((request, response) => {
      const fail = () => response.writeHead(500).end();
      if (request.url === '/progress') {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ key, ...this.#latest }));
      } else if (request.url === '/metrics') {
        this.#registry.metrics().then((text) => response.setHeader('content-type', this.#registry.contentType).end(text), fail);
      } else {
        response.writeHead(404).end();
      }
    });
    // Training decides how long the process lives.
    this.#server.unref();
    // Nor may whoever keeps a connection to it, as the operator and Prometheus do: the pod would not end.
    this.#server.on('connection', (socket) => socket.unref());
  }

  /**
   * @param host all addresses of the pod by default
   * @returns the port, chosen by the system for 0
   * @throws Error where the port cannot be listened on
   */
  async listen(port: number, host?: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host }, resolve);
    });
    this.#server.removeAllListeners('error').on('error', () => undefined);
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /**
   * Shows a progress event; IoU by class stays until there is a newer one. Other events are not shown, nor what tells of preparation: whoever asks
   * takes `done` and `total` for those of the stage, as operators do that have never heard of `preparing`.
   */
  update(event: StageEvent): void {
    if (event.type !== 'progress' || event.preparing === true) return;
    const { iou, classes } = this.#latest;
    this.#latest = { ...(iou === undefined ? {} : { iou, classes }), ...event };
    this.#gauges.update(event);
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
