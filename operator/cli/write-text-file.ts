import { rename, rm, writeFile } from 'node:fs/promises';

/** Writes a file through a temporary sibling, so that nobody ever sees half of it. */
export async function writeTextFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
