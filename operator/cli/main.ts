import { CommanderError } from 'commander';
import { EXIT_CODES } from './exit-codes.ts';
import { describeFailure } from './failure.ts';
import { buildProgram } from './program.ts';

/** Runs one command and returns its exit code. */
async function main(argv: readonly string[]): Promise<number> {
  // A reader that has had enough (`cdsp plan … | head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_CODES.success);
    throw error;
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
