import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ProgressServer } from '../../trainer-image/progress-server.ts';

/** A server on a free port of loopback, closed after `use`. */
async function withServer(use: (server: ProgressServer, get: (path: string) => Promise<Response>) => Promise<void>): Promise<void> {
  const server = new ProgressServer({ experiment: 'cats', stage: 'segment', key: 'abc' });
  const port = await server.listen(0, '127.0.0.1');
  try {
    await use(server, (path) => fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } }));
  } finally {
    await server.close();
  }
}

test('/progress is the latest progress, with the key that it belongs to', () =>
  withServer(async (server, get) => {
    assert.equal(await (await get('/progress')).json(), { key: 'abc' });
    server.update({ type: 'progress', label: 'epoch 1/2', done: 3, total: 10, unit: 'step', loss: 1.5, terms: { scribble: 0.5 } });
    server.update({ type: 'log', level: 'info', message: 'not progress' });
    const { key, done, total, loss } = (await (await get('/progress')).json()) as Record<string, unknown>;
    assert.equal([key, done, total, loss], ['abc', 3, 10, 1.5]);
  }));

test('/metrics has the loss of every term, labelled with experiment and stage', () =>
  withServer(async (server, get) => {
    server.update({
      type: 'progress',
      label: '',
      done: 3,
      total: 10,
      unit: 'step',
      loss: 1.5,
      terms: { scribble: 0.5 },
      learningRate: 0.1,
    });
    const text = await (await get('/metrics')).text();
    assert.match(text, 'cdsp_stage_loss{term="total",experiment="cats",stage="segment"} 1.5');
    assert.match(text, 'cdsp_stage_loss{term="scribble",experiment="cats",stage="segment"} 0.5');
    assert.match(text, 'cdsp_stage_learning_rate{experiment="cats",stage="segment"} 0.1');
    assert.is((await get('/other')).status, 404);
  }));

test.run();
