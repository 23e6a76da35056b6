// Turns refinement-kernel.wat into refinement-kernel.ts, so that neither building nor running needs a WebAssembly tool.
// `npm run generate` runs it, after a change of the .wat; a test checks that doing so leaves no diff.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import createWabt from 'wabt';

const SOURCE = fileURLToPath(new URL('refinement-kernel.wat', import.meta.url));
const TARGET = fileURLToPath(new URL('refinement-kernel.ts', import.meta.url));
const LINE_LENGTH = 116;

/** The text of refinement-kernel.ts. */
export async function generateKernel(): Promise<string> {
  const wabt = await createWabt();
  // A copy: wabt takes the whole buffer behind a view.
  const module = wabt.parseWat('refinement-kernel.wat', Uint8Array.from(await readFile(SOURCE)), { simd: true });
  module.validate();
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return [
    '// Generated from refinement-kernel.wat by generate-kernel.ts; do not edit.',
    '',
    '/** The WebAssembly module of the refinement, base64. */',
    'export const REFINEMENT_KERNEL = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(TARGET, await generateKernel());
