import { buildExperimentCrd } from '../../operator/api/crd.ts';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import type { ControlPlane } from './control-plane.ts';

export type Definition = ReturnType<typeof buildExperimentCrd>;
const schemaOf = ({ spec }: Definition) => spec.versions[0].schema.openAPIV3Schema as SchemaNode;
/** The fields of an experiment's spec or status, to be changed in place. */
export const fieldsOf = (crd: Definition, part: 'spec' | 'status') => schemaOf(crd).properties?.[part].properties ?? {};

let applied = 0;
/** Replaces the definition by a changed one of today, and waits until the API server goes by it, which its description shows. */
export async function define({ client, waitUntil }: ControlPlane, change: (crd: Definition) => void): Promise<void> {
  const crd = buildExperimentCrd();
  change(crd);
  const description = `definition ${++applied}`;
  schemaOf(crd).description = description;
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
  await client.expect('PATCH', `${path}?fieldManager=test&force=true`, crd, 'application/apply-patch+yaml');
  await waitUntil(description, async () => {
    const { status, body } = await client.request('GET', '/openapi/v3/apis/cdsp.dev/v1alpha1');
    return status === 200 && JSON.stringify(body).includes(`"${description}"`);
  });
}
