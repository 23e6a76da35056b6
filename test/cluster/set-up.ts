import { test } from 'uvu';

/** Something started that has to be stopped. */
interface Stoppable {
  stop(): Promise<unknown>;
}

/** Has it stopped after the file's last test. */
export type StopLater = <Started extends Stoppable>(started: Started) => Started;

/**
 * What a file's tests share: it is started before the first of them and stopped after the last one, what was started last first, also where
 * starting the rest has failed.
 * @param reason why this machine cannot run the tests, which are skipped then and need nothing; undefined: it can
 */
export function setUp(reason: string | undefined, start: (stopLater: StopLater) => Promise<void>): void {
  const started: Stoppable[] = [];
  test.before(async () => {
    if (reason !== undefined) return;
    await start((one) => {
      started.push(one);
      return one;
    });
  });
  test.after(async () => {
    for (const one of started.reverse()) await one.stop();
  });
}
