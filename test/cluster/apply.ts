import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { ControlPlane } from './control-plane.ts';

interface CustomResourceDefinition {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Applies the folder's resource definitions and waits until the API server serves them. */
export async function applyCrds({ client, waitUntil }: Pick<ControlPlane, 'client' | 'waitUntil'>, folder = 'crds'): Promise<string[]> {
  const names: string[] = [];
  for (const file of globSync('*.yaml', { cwd: folder }).sort()) {
    const text = readFileSync(join(folder, file), 'utf8');
    const { metadata } = load(text) as CustomResourceDefinition;
    await client.expect('PATCH', `${PATH}/${metadata.name}?fieldManager=test&force=true`, text, 'application/apply-patch+yaml');
    names.push(metadata.name);
  }
  for (const name of names) {
    await waitUntil(`the definition ${name}`, async () => {
      const { status } = await client.expect<CustomResourceDefinition>('GET', `${PATH}/${name}`);
      return status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True') ?? false;
    });
  }
  return names;
}
