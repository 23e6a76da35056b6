import type { EXIT } from '../api/stage-contract.ts';

/**
 * The codes of the stage contract, repeated so that `cdsp --help` need not load the schema; `satisfies` makes a difference a
 * type error.
 */
export const EXIT_CODES = {
  success: 0,
  failure: 1,
  usage: 64,
  badInput: 65,
  upstreamMissing: 66,
  unavailable: 69,
  interrupted: 75,
} as const satisfies typeof EXIT;

const MEANINGS: Record<keyof typeof EXIT_CODES, [summary: string, advice: string]> = {
  success: ['complete', 'The command did what was asked.'],
  failure: ['unforeseen failure', 'Starting the same command again resumes; with `CDSP_DEBUG=1` the message has its stack trace.'],
  usage: [
    'bad command line',
    'An unknown command or option, a missing argument, or a value that an option does not take; `cdsp help COMMAND` shows what there is.',
  ],
  badInput: [
    'bad input',
    'An experiment, image, scribble, mask or weights file that has to be mended; the message names file and field. Never tried again by itself.',
  ],
  upstreamMissing: [
    'an earlier stage is missing',
    'Of stages only: the artifacts of the stage before are gone or incomplete, as on a new volume; the message names stage and folder. Starting the same command again runs that stage, too.',
  ],
  unavailable: [
    'something missing on this machine',
    'Something that set-up provides is not there; the message names the command that installs it.',
  ],
  interrupted: ['interrupted', 'Stopped by Ctrl-C or a signal, or another run holds the same folder; the same command resumes.'],
};

/** The codes as lines for --help. */
export function exitCodeHelp(): string {
  const lines = entries().map(({ code, summary }) => `  ${String(code).padEnd(4)}${summary}`);
  return ['Exit codes:', ...lines].join('\n');
}

/** docs/exit-codes.md. */
export function exitCodeDocument(): string {
  const rows = entries().map(({ code, name, summary, advice }) => `| ${code} | \`${name}\` | ${summary} | ${advice} |`);
  return [
    '# Exit codes',
    '',
    'Every `cdsp` command and every stage of the trainer ends with one of these. 64 and above follow sysexits(3).',
    '',
    '| Code | Name | Meaning | What to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function entries() {
  return (Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[]).map((name) => {
    const [summary, advice] = MEANINGS[name];
    return { name, code: EXIT_CODES[name], summary, advice };
  });
}
