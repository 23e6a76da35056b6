import { readFileSync, writeFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import type { Certificate } from './certificates.ts';

export interface KubeconfigOptions {
  readonly server: string;
  /** PEM file of the authority that signed the server's certificate. */
  readonly authority: string;
  readonly credentials: Certificate | { readonly token: string };
}

const base64Of = (file: string) => readFileSync(file).toString('base64');

/** Writes a kubeconfig that needs no other file. JSON is YAML, so every client reads it. */
export function writeKubeconfig(file: string, { server, authority, credentials }: KubeconfigOptions): string {
  const user =
    'token' in credentials
      ? { token: credentials.token }
      : { 'client-certificate-data': base64Of(credentials.certificate), 'client-key-data': base64Of(credentials.key) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64Of(authority) } }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return file;
}

/** A kubeconfig as the operator's own client takes it. */
export function readKubeconfig(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

/** The token that a kubeconfig for a service account holds. */
export function tokenIn(file: string): string {
  const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: { user: { token: string } }[] };
  return users[0].user.token;
}
