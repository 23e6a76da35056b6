import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classifyExit } from '../../../operator/plan/exits.ts';
import type { Ending } from '../../../operator/plan/exits.ts';

const cases: [why: string, code: number | null, signal: string | null, ending: Ending][] = [
  ['0 is success', 0, null, 'succeeded'],
  ['1 is a failure', 1, null, 'failed'],
  ['bad input is a failure', 65, null, 'failed'],
  ['75 is an interruption', 75, null, 'interrupted'],
  ['SIGTERM is an interruption', null, 'SIGTERM', 'interrupted'],
  ['SIGKILL is an interruption', null, 'SIGKILL', 'interrupted'],
  ['SIGSEGV is a crash', null, 'SIGSEGV', 'failed'],
  ['SIGABRT is a crash', null, 'SIGABRT', 'failed'],
  ['137 is SIGKILL in a container', 137, null, 'interrupted'],
  ['143 is SIGTERM in a container', 143, null, 'interrupted'],
  ['139 is SIGSEGV in a container', 139, null, 'failed'],
  ['a process that could not be started has failed', null, null, 'failed'],
];
for (const [why, code, signal, ending] of cases) test(why, () => assert.is(classifyExit(code, signal), ending));

test.run();
