import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ProgressServer, STAGE_METRICS, UPDATES_METRIC } from '../../trainer-image/progress-server.ts';

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

test('what comes before the stage’s own work is in neither /progress nor /metrics, also after progress', () =>
  withServer(async (server, get) => {
    const scenes = { type: 'progress', label: 'scenes', done: 300, total: 300, unit: 'image', preparing: true } as const;
    server.update(scenes);
    assert.equal(await (await get('/progress')).json(), { key: 'abc' });
    assert.not.match(await (await get('/metrics')).text(), /^cdsp_stage_done\{.* 300$/m);
    server.update({ type: 'progress', label: 'epoch 1/2', done: 3, total: 10, unit: 'step' });
    server.update(scenes);
    const { done, total } = (await (await get('/progress')).json()) as Record<string, unknown>;
    assert.equal([done, total], [3, 10]);
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

const FULL = {
  type: 'progress',
  label: 'epoch 2/3',
  done: 5,
  total: 9,
  unit: 'step',
  epoch: 1,
  imagesPerSecond: 12.5,
  loss: 1,
  terms: { scribble: 0.5 },
  learningRate: 0.1,
  gradientNorm: 3,
  meanIou: 0.25,
  iou: [0.5, null, 0],
  classes: ['background', 'cat', 'dog'],
} as const;
const full = () => ({ ...FULL, iou: [...FULL.iou], classes: [...FULL.classes] });

test('/metrics has a series for everything that a progress event can tell, and those of the process', () =>
  withServer(async (server, get) => {
    server.update(full());
    const text = await (await get('/metrics')).text();
    const labels = 'experiment="cats",stage="segment"';
    for (const [series, value] of [
      ['cdsp_stage_epoch{', 1],
      ['cdsp_stage_images_per_second{', 12.5],
      ['cdsp_stage_gradient_norm{', 3],
      ['cdsp_stage_mean_iou{', 0.25],
      ['cdsp_stage_iou{class="background",', 0.5],
      ['cdsp_stage_iou{class="dog",', 0],
      ['cdsp_stage_done{', 5],
      ['cdsp_stage_size{', 9],
      ['cdsp_stage_updates_total{', 1],
    ] as const) {
      assert.match(text, `${series}${labels}} ${value}\n`);
    }
    for (const [name, help] of [...STAGE_METRICS, UPDATES_METRIC]) assert.match(text, `# HELP ${name} ${help}\n`);
    assert.not.match(text, 'class="cat"');
    assert.match(text, `process_cpu_seconds_total{${labels}}`);
    assert.match(text, `nodejs_eventloop_lag_seconds{${labels}}`);
  }));

test('a class that does not occur any more has no series', () =>
  withServer(async (server, get) => {
    server.update(full());
    server.update({ ...full(), iou: [0.5, 0.1, null] });
    const text = await (await get('/metrics')).text();
    assert.match(text, 'cdsp_stage_iou{class="cat",experiment="cats",stage="segment"} 0.1');
    assert.not.match(text, 'class="dog"');
  }));

test('/progress keeps IoU by class, which is told once only', () =>
  withServer(async (server, get) => {
    server.update(full());
    server.update({ type: 'progress', label: 'epoch 2/3', done: 6, total: 9, unit: 'step' });
    const { done, iou, classes } = (await (await get('/progress')).json()) as Record<string, unknown>;
    assert.equal([done, iou, classes], [6, [0.5, null, 0], ['background', 'cat', 'dog']]);
  }));

test('labels are bounded, in number and in length', () =>
  withServer(async (server, get) => {
    const classes = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(100)}`);
    server.update({ ...full(), classes, iou: classes.map(() => 1) });
    const text = await (await get('/metrics')).text();
    const series = text.split('\n').filter((line) => line.startsWith('cdsp_stage_iou{'));
    assert.is(series.length, 256);
    assert.match(series[0], `{class="${classes[0].slice(0, 63)}",`);
  }));

test('a port that is taken is an error of listening, which the stage can pass over', () =>
  withServer(async (server) => {
    const port = await new ProgressServer({ experiment: 'e', stage: 'classify', key: 'k' }).listen(0, '127.0.0.1');
    const second = new ProgressServer({ experiment: 'e', stage: 'classify', key: 'k' });
    const error = await second.listen(port, '127.0.0.1').catch((reason: unknown) => reason);
    assert.is((error as NodeJS.ErrnoException).code, 'EADDRINUSE');
    second.update(full());
    server.update(full());
  }));

const SERVER = new URL('../../trainer-image/progress-server.ts', import.meta.url).href;
/** A stage that ends when it is told to. */
const STAGE = `
import { ProgressServer } from '${SERVER}';
const server = new ProgressServer({ experiment: 'cats', stage: 'segment', key: 'abc' });
console.log(await server.listen(0, '127.0.0.1'));
process.stdin.once('data', () => process.stdin.destroy());
`;

/** Of a stage that ends there are a few; one that does not end answers for ever. */
const MOST_ANSWERS = 20_000;

/** One request on a kept connection; false where nobody answers any more. */
async function isAnswered(port: number, agent: Agent): Promise<boolean> {
  try {
    const [response] = (await once(get({ host: '127.0.0.1', port, path: '/progress', agent }), 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return true;
  } catch {
    return false;
  }
}

test('a connection that is kept and used does not keep the stage from ending', async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', STAGE], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(line.toString());
    assert.ok(await isAnswered(port, agent));
    child.stdin.write('end');
    let answers = 0;
    while (answers < MOST_ANSWERS && (await isAnswered(port, agent))) answers++;
    assert.ok(answers < MOST_ANSWERS, `it has answered ${answers} times since it was to end`);
    assert.equal(await ended, [0, null]);
  } finally {
    agent.destroy();
    child.kill();
  }
});

test.run();
