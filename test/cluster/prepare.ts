// Brings all that a test cluster is made of to this machine, with a line for each thing that takes long, so that the tests, whose output
// is shown only when they fail, find everything ready. What this machine cannot have is said, and is no failure here: the tests that
// need it are skipped, or fail where CI=true.
//   --install   installs the Debian packages for nodes as well; as root
import { spawnSync } from 'node:child_process';
import { getBaseImage } from './base-image.ts';
import { getProgram, MissingProgramError, PROGRAMS } from './binaries.ts';
import { installCommand, missingForNode, NODE_PACKAGES } from './node-requirements.ts';
import { getPrometheus } from '../prometheus/programs.ts';

const say = console.log;

function install(): void {
  const command = installCommand(NODE_PACKAGES);
  say(`test cluster: ${command}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, encoding: 'utf8' } as const;
  const attempt = () => spawnSync('sh', ['-c', command], options);
  let done = attempt();
  if (done.status !== 0) {
    // Package lists that are missing or old.
    spawnSync('apt-get', ['update'], options);
    done = attempt();
  }
  if (done.status !== 0) throw new Error(`${command} has failed:\n${done.stderr}`);
}

if (process.argv.includes('--install') && missingForNode({ images: true }) !== undefined) install();
try {
  for (const program of PROGRAMS) await getProgram(program, { say });
} catch (error) {
  if (!(error instanceof MissingProgramError)) throw error;
  say(`test cluster: ${error.message}`);
}
const reason = missingForNode({ images: true });
if (reason === undefined) await getBaseImage(say);
else say(`test cluster: no node: ${reason}`);
const prometheus = await getPrometheus(say);
if (typeof prometheus === 'string') say(`test cluster: ${prometheus}`);
