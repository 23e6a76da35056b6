/** Of an image reference, written out: Docker Hub is what is meant where no registry is named. */
function partsOf(reference: string): { readonly repository: string; readonly digest: string | undefined } {
  const [name, digest] = reference.split('@');
  const untagged = name.replace(/:[^:/]*$/, '');
  const [first] = untagged.split('/');
  const hasRegistry = untagged.includes('/') && (first === 'localhost' || /[.:]/.test(first));
  const path = hasRegistry ? untagged : `docker.io/${untagged}`;
  return { repository: path.replace(/^docker\.io\/(?=[^/]+$)/, 'docker.io/library/'), digest };
}

/**
 * Whether an image is, by digest, one that an administrator trusts who has named the other. Who names a tag trusts whatever is pushed to
 * its repository, so that every digest of it is theirs; who names a digest trusts that alone.
 */
export function isPinnedOf(image: string, trusted: string): boolean {
  const [{ repository, digest }, known] = [partsOf(image), partsOf(trusted)];
  return digest !== undefined && repository === known.repository && [undefined, digest].includes(known.digest);
}
