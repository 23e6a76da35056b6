import { ApiError, isRefusal } from '../controller/cluster.ts';

/** Why reconciling failed, in few words: each is a series. */
export const ERROR_REASONS = ['forbidden', 'throttled', 'refused', 'server', 'network', 'internal'] as const;
export type ErrorReason = (typeof ERROR_REASONS)[number];

const OF_STATUS: Readonly<Record<number, ErrorReason>> = { 401: 'forbidden', 403: 'forbidden', 429: 'throttled' };

/** `internal` is a mistake of the operator's own. */
export function errorReason(error: unknown): ErrorReason {
  if (isRefusal(error)) return 'refused';
  if (error instanceof ApiError) return OF_STATUS[error.status] ?? (error.status >= 500 ? 'server' : 'refused');
  if (!(error instanceof Error)) return 'internal';
  // Node's errors of connections, names and TLS carry a code, also where several addresses of a name were tried; its complaints about the
  // program itself do, too.
  const hasCode = 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_INVALID');
  return hasCode || error.message.includes('no answer within') ? 'network' : 'internal';
}
