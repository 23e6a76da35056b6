import { styleText } from 'node:util';

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours a text, or leaves it as it is. */
export type Paint = (format: Format, text: string) => string;

export const plain: Paint = (_format, text) => text;
export const coloured: Paint = (format, text) => styleText(format, text, { validateStream: false });

/** What a text stream can do; process.stdout and process.stderr fit. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Whether the stream is a terminal that can redraw a line. */
export function isTerminal(stream: TextStream, environment: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && environment.TERM !== 'dumb';
}

/** Colours for terminals; NO_COLOR (any text in it) switches them off, see no-color.org. */
export function choosePaint(stream: TextStream, environment: NodeJS.ProcessEnv): Paint {
  return isTerminal(stream, environment) && !environment.NO_COLOR ? coloured : plain;
}
