import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** Logs who asked for what, without bodies. */
export const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  // A watch that goes on has only begun to be answered.
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** What a user has asked the API for and got, or did not get: `group/resource[/subresource] verb`, each once. */
export async function grantsInUse(
  auditLog: string,
  username: string,
): Promise<{ readonly used: Set<string>; readonly denied: Set<string> }> {
  const used = new Set<string>();
  const denied = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(auditLog) })) {
    const { verb, user, objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
    if (user.username !== username || objectRef === undefined) continue;
    const { apiGroup = '', resource, subresource } = objectRef;
    const grant = `${apiGroup}/${subresource === undefined ? resource : `${resource}/${subresource}`} ${verb}`;
    (responseStatus?.code === 403 ? denied : used).add(grant);
  }
  return { used, denied };
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

/** What rules allow, in the same words. */
export function grantsOf(rules: readonly Rule[]): Set<string> {
  return new Set(
    rules.flatMap(({ apiGroups = [], resources = [], verbs }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`))),
    ),
  );
}

export interface Role {
  readonly kind: 'Role' | 'ClusterRole';
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
}

export interface RoleBinding {
  readonly metadata: { readonly namespace?: string };
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

/** The rules of all roles, of the cluster and of namespaces, that are bound to a service account itself, whatever they are called. */
export function rulesOfAccount(
  account: { readonly namespace: string; readonly name: string },
  bindings: readonly RoleBinding[],
  roles: readonly Role[],
): Rule[] {
  const isOfAccount = ({ subjects = [] }: RoleBinding) =>
    subjects.some(({ kind, name, namespace }) => kind === 'ServiceAccount' && name === account.name && namespace === account.namespace);
  return bindings.filter(isOfAccount).flatMap(({ metadata, roleRef }) => {
    const namespace = roleRef.kind === 'Role' ? metadata.namespace : undefined;
    const isIt = (role: Role) => role.kind === roleRef.kind && role.metadata.name === roleRef.name && role.metadata.namespace === namespace;
    return roles.filter(isIt).flatMap(({ rules = [] }) => rules);
  });
}
