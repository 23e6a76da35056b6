import { PLURAL } from '../api/crd.ts';
import { GROUP, VERSION } from '../api/experiment.ts';

/** Path of a resource in one namespace, or in all. */
const pathOf =
  (api: string, plural: string) =>
  (namespace?: string): string =>
    `/${api}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`;

export const experimentsPath = pathOf(`apis/${GROUP}/${VERSION}`, PLURAL);
export const jobsPath = pathOf('apis/batch/v1', 'jobs');
export const podsPath = pathOf('api/v1', 'pods');
export const claimsPath = pathOf('api/v1', 'persistentvolumeclaims');
export const eventsPath = pathOf('api/v1', 'events');
