import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { StageEvent, StageInput } from '../operator/api/stage-contract.ts';

type Progress = Extract<StageEvent, { type: 'progress' }>;

/** What a stage shows of itself while it runs: /progress for the operator (JSON), /metrics for Prometheus. */
export class ProgressServer {
  readonly #registry = new Registry();
  readonly #loss: Gauge;
  readonly #rate: Gauge;
  readonly #done: Gauge;
  readonly #total: Gauge;
  readonly #meanIou: Gauge;
  readonly #steps: Counter;
  readonly #server: Server;
  #latest: Progress | undefined;

  constructor({ experiment, stage, key }: Pick<StageInput, 'experiment' | 'stage' | 'key'>) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ experiment, stage });
    this.#loss = new Gauge({
      name: 'cdsp_stage_loss',
      help: 'Latest loss, by term; term "total" is their weighted sum.',
      labelNames: ['term'],
      registers,
    });
    this.#rate = new Gauge({ name: 'cdsp_stage_learning_rate', help: 'Learning rate of the latest step.', registers });
    this.#done = new Gauge({ name: 'cdsp_stage_done', help: 'Steps or images done.', registers });
    this.#total = new Gauge({ name: 'cdsp_stage_total', help: 'Steps or images in all.', registers });
    this.#meanIou = new Gauge({ name: 'cdsp_stage_mean_iou', help: 'Latest mIoU, in [0, 1].', registers });
    this.#steps = new Counter({ name: 'cdsp_stage_updates_total', help: 'Progress reports so far.', registers });
    this.#server = createServer((request, response) => {
      if (request.url === '/progress') {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ key, ...(this.#latest ?? {}) }));
      } else if (request.url === '/metrics') {
        void this.#registry.metrics().then((text) => {
          response.setHeader('content-type', this.#registry.contentType);
          response.end(text);
        });
      } else {
        response.statusCode = 404;
        response.end();
      }
    });
    // Training decides how long the process lives.
    this.#server.unref();
  }

  /**
   * @param host all addresses of the pod by default
   * @returns the port, chosen by the system for 0
   */
  async listen(port: number, host?: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host }, resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  update(event: StageEvent): void {
    if (event.type !== 'progress') return;
    this.#latest = event;
    this.#steps.inc();
    this.#done.set(event.done);
    this.#total.set(event.total);
    if (event.loss !== undefined) this.#loss.set({ term: 'total' }, event.loss);
    for (const [term, value] of Object.entries(event.terms ?? {})) this.#loss.set({ term }, value);
    if (event.learningRate !== undefined) this.#rate.set(event.learningRate);
    if (event.meanIou !== undefined) this.#meanIou.set(event.meanIou);
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
