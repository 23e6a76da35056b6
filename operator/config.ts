import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { z } from 'zod';
import { formatPath } from './api/findings.ts';
import { DefaultPlacement } from './api/placement.ts';
import { imageReference } from './api/storage.ts';

/**
 * The operator's own settings, which its administrator gives and no experiment can change: one YAML file, named by CDSP_CONFIG; the chart
 * writes it. Images are patterns in which * stands for anything.
 */
export const OperatorConfig = z.strictObject({
  trainerImage: imageReference().describe('Image of the stages of experiments that name none; by digest in production.'),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional().describe('Pull policy of the stages’ images.'),
  imagePullSecrets: z.array(z.string().min(1)).default([]).describe('Names of pull secrets, which each namespace has to hold itself.'),
  allowedImages: z
    .array(z.string().min(1))
    .default([])
    .describe('Patterns of further images that experiments may name in spec.image; * stands for anything.'),
  allowedDataImages: z
    .array(z.string().min(1))
    .default(['*'])
    .describe('Patterns of images that experiments may mount as data; they are read, never run.'),
  namespaces: z.array(z.string().min(1)).default([]).describe('Namespaces to work in; none: all of them.'),
  stageUser: z
    .enum(['Fixed', 'Assigned'])
    .default('Fixed')
    .describe('User and group of stage pods. Fixed: 65532. Assigned: the cluster sets them when it admits a pod, as OpenShift does.'),
  placement: DefaultPlacement.prefault({}).describe('Placement of stages whose experiment says nothing else.'),
  parallelism: z.int().min(1).max(256).default(16).describe('Experiments that are worked on at once.'),
  progressSeconds: z.number().min(0).default(2).describe('Seconds between two looks at what running stages say of themselves; 0: never.'),
  leaseSeconds: z.int().min(2).max(300).default(5).describe('Seconds after which another replica takes over from one that is silent.'),
});
export type OperatorConfig = z.output<typeof OperatorConfig>;

/** @throws Error naming the file, each field and what is allowed */
export function parseConfig(text: string, file: string): OperatorConfig {
  const parsed = OperatorConfig.safeParse(load(text) ?? {});
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `- ${formatPath(path)}: ${message}`);
  throw new Error(`${file} is no configuration of the operator:\n${lines.join('\n')}`);
}

/** Reads the file that CDSP_CONFIG names. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): OperatorConfig {
  const file = environment.CDSP_CONFIG;
  if (file === undefined || file === '')
    throw new Error('the environment variable CDSP_CONFIG must name the operator’s configuration file');
  return parseConfig(readFileSync(file, 'utf8'), file);
}
