// Starts a program in a workspace, says which, and then ends in the way that its argument names.
import { createWorkspace } from './cluster-workspace.ts';

const [end] = process.argv.slice(2);
const workspace = await createWorkspace();
workspace.start('sleep', 'sleep', ['1000000']);
process.stdout.write(`${workspace.id}\n`);
if (end === 'throw')
  setImmediate(() => {
    throw new Error('a test has failed');
  });
else if (end === 'wait') setInterval(() => {}, 1000);
