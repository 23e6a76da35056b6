// The two judges of an experiment, a real API server and parse(), asked the same question.
import { ExperimentError } from '../../operator/api/findings.ts';
import type { Finding } from '../../operator/api/findings.ts';
import { validateExperiment } from '../../operator/api/parse.ts';
import { experimentsPath } from '../../operator/controller/resource-paths.ts';
import type { ApiClient } from '../cluster/api-client.ts';

export interface Verdict {
  readonly isAccepted: boolean;
  /** With every default; of what is accepted only. */
  readonly spec?: unknown;
  /** What was said of what is refused. */
  readonly message: string;
}

interface Answer {
  readonly spec?: unknown;
  readonly message?: string;
}

/** The API server's verdict; nothing is stored. Unknown keys are refused, as kubectl asks for. */
export async function askServer(client: ApiClient, manifest: unknown, namespace = 'default'): Promise<Verdict> {
  const path = `${experimentsPath(namespace)}?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await client.request<Answer>('POST', path, manifest);
  if (status === 201) return { isAccepted: true, spec: body.spec, message: '' };
  if (status !== 422 && status !== 400) throw new Error(`the API server answered ${status}: ${body.message}`);
  return { isAccepted: false, message: body.message ?? '' };
}

/** What parse() finds wrong; nothing: it is accepted. */
export function findingsOf(manifest: unknown): readonly Finding[] {
  try {
    validateExperiment(manifest);
    return [];
  } catch (error) {
    if (error instanceof ExperimentError) return error.findings;
    throw error;
  }
}

export function askParse(manifest: unknown): Verdict {
  const findings = findingsOf(manifest);
  if (findings.length === 0) return { isAccepted: true, spec: validateExperiment(manifest).spec, message: '' };
  return { isAccepted: false, message: findings.map(({ field, message }) => `${field}: ${message}`).join('; ') };
}
