import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { STAGE_PORT } from './build-pod.ts';

/**
 * A trainer on a CPU answers between two steps, and to a new connection at the third: with steps of a second or more a shorter time would close
 * each connection before its first answer, for ever.
 */
const TIMEOUT_MS = 20_000;
/** A kept connection that is not used is closed: a pod that vanishes with its node says no goodbye. */
const IDLE_MS = 30_000;
const MOST_BYTES = 1 << 16;

export interface ProgressClientOptions {
  /** Where stages serve /progress; left out: as in their pods. */
  readonly port?: number;
  /** For the whole of an answer: one that trickles in keeps nobody waiting. */
  readonly timeoutMs?: number;
}

/** Reads /progress of pods over connections that are kept. A pod is not trusted: its answer has to come in time and be small. */
export class ProgressClient {
  readonly #agent: Agent;
  readonly #port: number;
  readonly #timeoutMs: number;

  constructor({ port = STAGE_PORT, timeoutMs = TIMEOUT_MS }: ProgressClientOptions = {}) {
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 1, timeout: IDLE_MS });
  }

  /** @throws Error where there is no complete answer in time, or it is no 200, or longer than 64 KiB */
  async get(podIP: string): Promise<string> {
    if (isIP(podIP) === 0) throw new Error(`${podIP} is no address`);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const options = { host: podIP, port: this.#port, path: '/progress', agent: this.#agent, signal: controller.signal };
        get(options, resolve).on('error', reject);
      });
      return await readBody(response);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
      parts.push(part);
    }
  } catch (error) {
    // What has not been read must not be taken for the next answer.
    response.destroy();
    throw error;
  }
  return Buffer.concat(parts).toString();
}
