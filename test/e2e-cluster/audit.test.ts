// What an audit compares: what a log says was used, and what the roles of an account allow.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { grantsInUse, grantsOf, rulesOfAccount } from './audit.ts';
import type { Role, RoleBinding } from './audit.ts';

const ACCOUNT = { namespace: 'cdsp-system', name: 'cdsp' };
const jobs = { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'] };
const lease = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'update'] };
const roles: Role[] = [
  { kind: 'ClusterRole', metadata: { name: 'cdsp' }, rules: [jobs] },
  { kind: 'Role', metadata: { name: 'cdsp-leader', namespace: 'cdsp-system' }, rules: [lease] },
  { kind: 'Role', metadata: { name: 'cdsp-leader', namespace: 'lab' }, rules: [jobs, lease] },
  { kind: 'ClusterRole', metadata: { name: 'cdsp-leader' }, rules: [jobs] },
  { kind: 'ClusterRole', metadata: { name: 'admin' }, rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }] },
];
const binding = (kind: Role['kind'], name: string, namespace?: string, subject: object = ACCOUNT): RoleBinding => ({
  metadata: { namespace },
  roleRef: { kind, name },
  subjects: [{ kind: 'ServiceAccount', ...ACCOUNT, ...subject }],
});
const grants = (...bindings: RoleBinding[]) => [...grantsOf(rulesOfAccount(ACCOUNT, bindings, roles))];

test('an account has the rules of its cluster role and of a role in a namespace, whatever they are called', () => {
  assert.equal(grants(binding('ClusterRole', 'cdsp'), binding('Role', 'cdsp-leader', 'cdsp-system')), [
    'batch/jobs create',
    'coordination.k8s.io/leases get',
    'coordination.k8s.io/leases update',
  ]);
  assert.equal(grants(binding('ClusterRole', 'admin', 'lab')), ['/secrets get'], 'a cluster role bound in a namespace');
});

test('a role of the same name in another namespace or of the cluster is another role', () => {
  assert.not.ok(grants(binding('Role', 'cdsp-leader', 'cdsp-system')).includes('batch/jobs create'));
});

test('what is bound to others is none of its rights', () => {
  const others = [{ name: 'other' }, { namespace: 'lab' }, { kind: 'User' }];
  assert.equal(grants(...others.map((other) => binding('ClusterRole', 'admin', undefined, other))), []);
});

test('the log tells what was used and what was denied, each once, of this user alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  const event = (verb: string, resource: string, code: number, username = 'me') => ({
    verb,
    user: { username },
    objectRef: { resource, apiGroup: 'coordination.k8s.io' },
    responseStatus: { code },
  });
  const events = [
    event('get', 'leases', 404),
    event('get', 'leases', 200),
    event('create', 'leases', 201),
    event('delete', 'leases', 403),
    event('update', 'leases', 200, 'you'),
  ];
  const file = join(folder, 'audit.log');
  writeFileSync(file, events.map((line) => JSON.stringify(line)).join('\n'));
  try {
    const { used, denied } = await grantsInUse(file, 'me');
    assert.equal([...used], ['coordination.k8s.io/leases get', 'coordination.k8s.io/leases create']);
    assert.equal([...denied], ['coordination.k8s.io/leases delete']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
