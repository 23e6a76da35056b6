import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WATCH_STDIN_ENVIRONMENT } from '../../operator/api/stage-contract.ts';

const MODULE = new URL('../../trainer-image/parent-watch.ts', import.meta.url).href;

/** Watches, then does what `work` says; `signal` is the watch's. */
const program = (work: string) => `
  const { watchInterruption } = await import(${JSON.stringify(MODULE)});
  const signal = watchInterruption();
  ${work}`;
/** Says that it is ready, waits, says why it was interrupted. */
const WAIT = `
  process.stdout.write('ready\\n');
  const alive = setInterval(() => {}, 1000);
  signal.addEventListener('abort', () => { clearInterval(alive); process.stdout.write(signal.reason); process.exitCode = 75; });`;

function start(work: string, watch: boolean, stdin: 'pipe' | 'ignore' = 'pipe') {
  const env = { ...process.env, [WATCH_STDIN_ENVIRONMENT]: watch ? '1' : undefined };
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(work)], { stdio: [stdin, 'pipe', 'inherit'], env });
  return { child, closed: once(child, 'close') as Promise<[number | null, string | null]> };
}

async function said(work: string, then: (child: ReturnType<typeof start>['child']) => void): Promise<[text: string, code: number | null]> {
  const { child, closed } = start(work, true);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text === 'ready\n') then(child);
  });
  const [code] = await closed;
  return [text, code];
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} interrupts`, async () => {
    assert.equal(await said(WAIT, (child) => child.kill(signal)), [`ready\nreceived ${signal}`, 75]);
  });
}

test('the end of the input interrupts: the parent is gone', async () => {
  const [text, code] = await said(WAIT, (child) => child.stdin?.end());
  assert.equal([text, code], ['ready\nthe process that started the stage is gone', 75]);
});

test('without being asked to, the input is not watched: in a cluster it is empty', async () => {
  const { child, closed } = start(`setTimeout(() => { process.exitCode = signal.aborted ? 75 : 0; }, 20);`, false, 'ignore');
  assert.ok(child.pid);
  assert.is((await closed)[0], 0);
});

test('the watch alone does not keep a process alive', async () => {
  const { closed } = start('', true);
  assert.is((await closed)[0], 0);
});

test('writing to a parent that is gone is no failure', async () => {
  const work = `
    signal.addEventListener('abort', () => {
      process.stdout.write('nobody listens', () => process.stderr.write('nobody either', () => process.exit(75)));
    });
    process.stdout.write('ready\\n');`;
  const { child, closed } = start(`${work} setInterval(() => {}, 1000);`, true);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.destroy();
  child.stdin?.end();
  assert.is((await closed)[0], 75);
});

test.run();
