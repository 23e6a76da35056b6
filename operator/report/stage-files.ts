import { readdir, readFile } from 'node:fs/promises';
import type { z } from 'zod';

/** Reading for a report: what is not there is null or empty, what is damaged becomes a note, and neither ends the report. */

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

async function readText(file: string, notes: string[]): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!isMissing(error)) notes.push(`${file} could not be read: ${String(error)}`);
    return null;
  }
}

function parse<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** Reads a JSON file; null with a note if it is damaged, null if it is not there. */
export async function readRecord<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  notes: string[],
): Promise<z.output<Schema> | null> {
  const text = await readText(file, notes);
  if (text === null) return null;
  const record = parse(text, schema);
  if (record === null) notes.push(`${file} is damaged or from another version and was left out.`);
  return record;
}

/** Reads JSON lines; lines that do not fit are counted in a note, save a last one that a killed stage has not finished. */
export async function readLines<Schema extends z.ZodType>(file: string, schema: Schema, notes: string[]): Promise<z.output<Schema>[]> {
  const text = await readText(file, notes);
  if (text === null) return [];
  const lines = text.split('\n');
  const unfinished = lines.pop() ?? '';
  const records = lines.filter((line) => line.trim() !== '').map((line) => parse(line, schema));
  const damaged = records.filter((record) => record === null).length;
  if (damaged > 0) notes.push(`${file}: ${damaged} damaged ${damaged === 1 ? 'line was' : 'lines were'} left out.`);
  return [...records, parse(unfinished, schema)].filter((record) => record !== null);
}

/** Names of the files in a folder; empty if there is no folder. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
