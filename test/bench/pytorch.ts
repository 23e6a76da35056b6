import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { ensureFolder, installPythonPackages } from './python-packages.ts';
import { writeCudaStubs } from './cuda-stubs.ts';

const TORCH = 'torch==2.15.0';
/** What `import torch` needs besides itself; its CUDA packages (over 2 GB) and Triton are left out. */
const COMPANIONS = [
  'typing_extensions==4.16.0',
  'sympy==1.14.0',
  'mpmath==1.4.1',
  'networkx==3.6.1',
  'jinja2==3.1.6',
  'markupsafe==3.0.4',
  'filelock==4.2.11',
  'fsspec==2026.9.0',
];

/** PyTorch for the CPU in a folder of the cache, for PYTHONPATH; the first time it is downloaded (560 MB). */
function ensurePytorch(): string {
  return ensureFolder(TORCH.replace('==', '-'), (work) => {
    installPythonPackages(work, [TORCH, ...COMPANIONS], ['--no-deps']);
    if (process.platform === 'linux') writeCudaStubs(join(work, 'torch', 'lib'));
  });
}

export interface StepTime {
  readonly ms: number;
  readonly loss: number;
}

/** Training steps in a PyTorch process that works only while a step is asked for. */
export interface PytorchSteps {
  /** The version of PyTorch. */
  readonly version: string;
  step(): Promise<StepTime>;
  close(): void;
}

/**
 * Starts test/bench/pytorch/train_steps.py.
 * @param mode one of its modes
 * @param state .safetensors file with the initial values under the network's names and the batch under `batch.`
 */
export async function startPytorch(
  mode: string,
  state: string,
  options: { threads: number; channelsLast?: boolean },
): Promise<PytorchSteps> {
  const program = join(import.meta.dirname, 'pytorch', 'train_steps.py');
  const args = [program, mode, state, '--threads', String(options.threads), ...(options.channelsLast ? ['--channels-last'] : [])];
  const env = { ...process.env, PYTHONPATH: ensurePytorch(), PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' };
  const child = spawn('python3', args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async <Answer>(): Promise<Answer> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`PyTorch ended with exit code ${child.exitCode}; its message is above`);
    return JSON.parse(value) as Answer;
  };
  const { torch } = await read<{ torch: string }>();
  return {
    version: torch,
    step() {
      child.stdin.write('\n');
      return read<StepTime>();
    },
    close: () => child.stdin.end(),
  };
}
