import { readFileSync } from 'node:fs';

const PACKAGE = new URL('../package.json', import.meta.url);

/** Version of the trainer: part of every stage key, so a release whose results differ makes stages run again. */
export const TRAINER_VERSION: string = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
