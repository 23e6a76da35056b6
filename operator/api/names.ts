import { z } from 'zod';
import { ofForm } from './rules.ts';

/** Names within a pod: DNS labels. */
export const podLocalName = () =>
  ofForm(
    z.string().min(1).max(63),
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be lower-case letters, digits and dashes, starting and ending with a letter or digit',
  );

/** Names of Kubernetes objects: DNS subdomains. */
export const objectName = (maxLength = 253) =>
  ofForm(
    z.string().min(1).max(maxLength),
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be lower-case letters, digits, dashes and dots, each part between dots starting and ending with a letter or digit',
  );

/** A Kubernetes quantity; negative amounts make no sense here. */
export const quantity = () =>
  ofForm(
    z.string().max(64),
    /^[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,2}|m|[kMGTPE]|[KMGTPE]i)?$/,
    'must be a Kubernetes quantity such as 4, 500m or 16Gi',
  );

/** A file or folder; Linux takes no longer path. */
export const filePath = () => z.string().min(1).max(4096);
