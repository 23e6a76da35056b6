import { z } from 'zod';
import { bytes, filePath, objectName } from './names.ts';
import { ofForm, withRules } from './rules.ts';
import type { Transition } from './rules.ts';

/** An image reference: name, and tag or digest. */
export const imageReference = () =>
  ofForm(
    z.string().min(1).max(1024),
    /^[A-Za-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$/,
    'must be an image reference such as registry.example.org/lab/voc:1 or …@sha256:…',
  );

/** Where a folder or file lies in a cluster; a path alone is looked for on the experiment's own volume. */
export const volumeFields = {
  claimName: objectName().optional().describe('Cluster: existing claim that `path` lies on, read-only. Locally: not used.'),
  image: imageReference()
    .optional()
    .describe('Cluster: OCI image that `path` lies in, mounted as a volume; with a digest it cannot change. Locally: not used.'),
};

export const oneVolume = {
  cel: '!(has(self.claimName) && has(self.image))',
  holds: ({ claimName, image }: { claimName?: string; image?: string }) => claimName === undefined || image === undefined,
  message: 'claimName and image exclude each other',
};

const accessMode = z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod']);

export const Storage = withRules(
  z.object({
    path: filePath().optional().describe('Local runs: folder of the artifacts; left out: runs/ beside the YAML file.'),
    claimName: objectName()
      .optional()
      .describe('Cluster: an existing claim, which experiments may share. Left out: the operator makes one.'),
    size: bytes('1Mi', { none: false })
      .default('20Gi')
      .describe('Cluster: size of the claim that the operator makes; may grow where the storage class lets it.'),
    storageClassName: objectName().optional().describe('Cluster: storage class of that claim.'),
    accessModes: z
      .array(accessMode)
      .min(1)
      .max(3)
      .default(['ReadWriteOnce'])
      .describe(
        'Cluster: access modes of that claim, or those that an existing one has. Without ReadWriteMany, pods that share it run on one node.',
      ),
    retention: z
      .enum(['Delete', 'Retain'])
      .default('Retain')
      .describe('Cluster: what becomes of that claim when the experiment is deleted.'),
  }),
  {
    cel: "!('ReadWriteOncePod' in self.accessModes) || self.accessModes.size() == 1",
    holds: ({ accessModes }) => !accessModes.includes('ReadWriteOncePod') || accessModes.length === 1,
    message: 'ReadWriteOncePod excludes the other access modes',
    field: ['accessModes'],
  },
);

/** What a claim cannot change any more once it is there. CEL of the API server alone: a file has no earlier version. */
export const STORAGE_TRANSITIONS: readonly Transition[] = [
  {
    rule: 'has(self.claimName) == has(oldSelf.claimName) && (!has(self.claimName) || self.claimName == oldSelf.claimName)',
    message: 'claimName cannot be changed: artifacts would be left behind; make a new experiment',
    fieldPath: '.claimName',
  },
  {
    rule: 'has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)',
    message: 'storageClassName cannot be changed: a claim keeps its class; make a new experiment',
    fieldPath: '.storageClassName',
  },
  {
    rule: 'has(self.claimName) || self.accessModes == oldSelf.accessModes',
    message: 'accessModes of the operator’s own claim cannot be changed: a claim keeps them; make a new experiment',
    fieldPath: '.accessModes',
  },
  {
    rule: 'has(self.claimName) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0',
    message: 'size of the operator’s own claim cannot shrink, also where no claim is there yet: a claim only grows; make a new experiment',
    fieldPath: '.size',
  },
];
