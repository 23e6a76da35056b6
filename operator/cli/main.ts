import { CommanderError } from 'commander';
import { EXIT_CODES } from './exit-codes.ts';
import { describeFailure } from './failure.ts';
import { isReaderGone } from './interrupts.ts';
import { buildProgram } from './program.ts';

/** Runs one command and returns its exit code. */
async function main(argv: readonly string[]): Promise<number> {
  // A reader that has had enough (`cdsp plan … | head`) is no failure; a run has a listener of its own and stops in order, after
  // which more that cannot be written changes nothing.
  let isStopping = false;
  process.stdout.on('error', (error) => {
    if (!isReaderGone(error)) throw error;
    isStopping ||= process.stdout.listenerCount('error') > 1;
    if (!isStopping) process.exit(EXIT_CODES.success);
  });
  // Progress without a reader (a closed terminal; `2>&1 | tee`, which Ctrl-C ends first) must not end what it speaks of.
  process.stderr.on('error', (error) => {
    if (!isReaderGone(error)) throw error;
  });
  let exitCode: number = EXIT_CODES.success;
  const program = buildProgram({ setExitCode: (code) => (exitCode = code) });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its message by now; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.success : EXIT_CODES.usage;
    const { text, exitCode: code } = describeFailure(error, Boolean(process.env.CDSP_DEBUG));
    process.stderr.write(`${text}\n`);
    return code;
  }
}

process.exitCode = await main(process.argv.slice(2));
