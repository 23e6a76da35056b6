import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

/** Paths of a certificate and its key, both PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
}

export interface CertificateAuthority extends Certificate {
  /** For a server that is reached under these names and addresses. */
  issueServer(name: string, hosts: readonly string[]): Certificate;
  /** Kubernetes takes the common name for the user and the organizations for the groups. */
  issueClient(name: string, identity: Identity): Certificate;
}

const DAYS = '30';

function writeKey(file: string): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** A subject in openssl's notation; slashes and the like in a value are escaped. */
const subject = (parts: readonly (readonly [key: string, value: string])[]) =>
  parts.map(([key, value]) => `/${key}=${value.replace(/[/\\+]/g, '\\$&')}`).join('');

/** A certificate authority of its own in `folder`. Node's crypto makes keys but signs no certificates: that is openssl's part. */
export function createCertificateAuthority(folder: string): CertificateAuthority {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pathsOf = (name: string): Certificate => ({ certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) });
  const ca = pathsOf('ca');
  writeKey(ca.key);
  openssl('req', '-x509', '-new', '-key', ca.key, '-subj', '/CN=cdsp-test-cluster', '-days', DAYS, '-out', ca.certificate);

  function issue(name: string, whose: string, extensions: readonly string[]): Certificate {
    const paths = pathsOf(name);
    const request = join(folder, `${name}.csr`);
    const extensionFile = join(folder, `${name}.ext`);
    writeKey(paths.key);
    writeFileSync(extensionFile, `${['basicConstraints=CA:FALSE', ...extensions].join('\n')}\n`);
    openssl('req', '-new', '-utf8', '-key', paths.key, '-subj', whose, '-out', request);
    const serial = `0x${randomBytes(8).toString('hex')}`;
    const by = ['-CA', ca.certificate, '-CAkey', ca.key, '-set_serial', serial, '-days', DAYS, '-extfile', extensionFile];
    openssl('x509', '-req', '-in', request, ...by, '-out', paths.certificate);
    return paths;
  }
  return {
    ...ca,
    issueServer(name, hosts) {
      const names = hosts.map((host) => `${isIP(host) ? 'IP' : 'DNS'}:${host}`).join(',');
      return issue(name, subject([['CN', name]]), ['extendedKeyUsage=serverAuth', `subjectAltName=${names}`]);
    },
    issueClient(name, { user, groups = [] }) {
      const whose = subject([...groups.map((group) => ['O', group] as const), ['CN', user]]);
      return issue(name, whose, ['extendedKeyUsage=clientAuth']);
    },
  };
}
