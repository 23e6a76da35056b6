import { z } from 'zod';
import { objectName } from './names.ts';
import { ofForm, withRules } from './rules.ts';

/**
 * Kubernetes' own types of a pod's placement, under Kubernetes' names and with its rules: what the API server would refuse in a Job, it
 * refuses in the experiment already. Numbers of entries are bounded, so that an experiment cannot be as large as the API server takes.
 */

/** Kubernetes' own limit of many numbers. */
export const LARGEST_INT32 = 2 ** 31 - 1;

const LONGEST_LABEL_KEY = 253;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*[/])?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** Key of a label or taint. */
const labelKey = () =>
  ofForm(z.string().min(1).max(LONGEST_LABEL_KEY), LABEL_KEY, 'must be a label’s key such as pool or example.org/pool');
const labelKeys = () => z.array(labelKey()).max(10);

/** Value of a label or taint; may be empty. */
const labelValue = () => ofForm(z.string().max(63), LABEL_VALUE, 'must be a label’s value: letters, digits, and - _ . between them');
const labelValues = (most: number) => z.array(labelValue()).max(most);

/** Labels that a node or pod has to have. */
export const labels = (most: number) =>
  withRules(
    z
      .record(z.string(), labelValue())
      .refine((entries) => Object.keys(entries).length <= most, { message: `must have at most ${most} entries` })
      .meta({ maxProperties: most }),
    {
      cel: `self.all(key, key.size() <= ${LONGEST_LABEL_KEY} && key.matches('${LABEL_KEY.source}'))`,
      holds: (entries) => Object.keys(entries).every((key) => key.length <= LONGEST_LABEL_KEY && LABEL_KEY.test(key)),
      message: 'keys must be those of labels, such as pool or example.org/pool',
    },
  );

const isOneOf = (value: string | undefined, ...choices: string[]): boolean => value !== undefined && choices.includes(value);

export const Toleration = withRules(
  z.object({
    key: labelKey().optional(),
    operator: z.enum(['Exists', 'Equal']).optional(),
    value: labelValue().optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
    tolerationSeconds: z.int().optional(),
  }),
  {
    cel: "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
    holds: ({ key, operator }) => key !== undefined || operator === 'Exists',
    message: 'must be Exists without a key, and then tolerates every taint; else name the key',
    field: ['operator'],
  },
  {
    cel: "!has(self.value) || self.value == '' || !has(self.operator) || self.operator != 'Exists'",
    holds: ({ value = '', operator }) => value === '' || operator !== 'Exists',
    message: 'must be left out with the operator Exists, which takes every value',
    field: ['value'],
  },
  {
    cel: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
    holds: ({ tolerationSeconds, effect }) => tolerationSeconds === undefined || effect === 'NoExecute',
    message: 'needs the effect NoExecute: no other removes a pod that runs',
    field: ['tolerationSeconds'],
  },
);

const HAS_VALUES_IN_CEL = 'has(self.values) && self.values.size() > 0';
const VALUES_MESSAGE = 'must be given with the operators In and NotIn, and left out with Exists and DoesNotExist';

const LabelSelectorRequirement = withRules(
  z.object({
    key: labelKey(),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: labelValues(20).optional(),
  }),
  {
    cel: `(self.operator in ['In', 'NotIn']) == (${HAS_VALUES_IN_CEL})`,
    holds: ({ operator, values = [] }) => isOneOf(operator, 'In', 'NotIn') === values.length > 0,
    message: VALUES_MESSAGE,
    field: ['values'],
  },
);

const LabelSelector = z.object({
  matchLabels: labels(20).optional(),
  matchExpressions: z.array(LabelSelectorRequirement).max(10).optional(),
});
type LabelSelector = z.output<typeof LabelSelector>;

const NodeSelectorRequirement = withRules(
  z.object({
    key: labelKey(),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
    values: labelValues(50).optional(),
  }),
  {
    cel: `(self.operator in ['In', 'NotIn', 'Gt', 'Lt']) == (${HAS_VALUES_IN_CEL})`,
    holds: ({ operator, values = [] }) => isOneOf(operator, 'In', 'NotIn', 'Gt', 'Lt') === values.length > 0,
    message: VALUES_MESSAGE,
    field: ['values'],
  },
  {
    cel: "!(self.operator in ['Gt', 'Lt']) || !has(self.values) || (self.values.size() == 1 && self.values[0].matches('^[0-9]{1,18}$'))",
    holds: ({ operator, values }) =>
      !isOneOf(operator, 'Gt', 'Lt') || values === undefined || (values.length === 1 && /^[0-9]{1,18}$/.test(values[0])),
    message: 'must be one whole number with the operators Gt and Lt',
    field: ['values'],
  },
);

/** Of a node's fields Kubernetes lets its name alone be asked for. */
const NodeFieldRequirement = z.object({
  key: z.enum(['metadata.name']),
  operator: z.enum(['In', 'NotIn']),
  values: z.array(objectName()).min(1).max(1),
});

const NodeSelectorTerm = z.object({
  matchExpressions: z.array(NodeSelectorRequirement).max(10).optional(),
  matchFields: z.array(NodeFieldRequirement).max(10).optional(),
});

const preferenceWeight = () => z.int().min(1).max(100);

/** Keys whose values are the pod's own must not be asked for by the selector as well. */
const ownKeysAreApart = {
  cel: '!has(self.matchLabelKeys) || !has(self.labelSelector) || self.matchLabelKeys.all(key, (!has(self.labelSelector.matchLabels) || !(key in self.labelSelector.matchLabels)) && (!has(self.labelSelector.matchExpressions) || !self.labelSelector.matchExpressions.exists(e, e.key == key)))',
  holds: ({ matchLabelKeys = [], labelSelector = {} }: { matchLabelKeys?: string[]; labelSelector?: LabelSelector }) =>
    matchLabelKeys.every(
      (key) =>
        !Object.hasOwn(labelSelector.matchLabels ?? {}, key) &&
        !labelSelector.matchExpressions?.some((expression) => expression.key === key),
    ),
  message: 'must name other keys than labelSelector',
  field: ['matchLabelKeys'],
};

const PodAffinityTerm = withRules(
  z.object({
    topologyKey: labelKey(),
    labelSelector: LabelSelector.optional(),
    matchLabelKeys: labelKeys().optional(),
    mismatchLabelKeys: labelKeys().optional(),
  }),
  {
    cel: 'has(self.labelSelector) || ((!has(self.matchLabelKeys) || self.matchLabelKeys.size() == 0) && (!has(self.mismatchLabelKeys) || self.mismatchLabelKeys.size() == 0))',
    holds: ({ labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }) =>
      labelSelector !== undefined || (matchLabelKeys.length === 0 && mismatchLabelKeys.length === 0),
    message: 'must be given with matchLabelKeys and mismatchLabelKeys',
    field: ['labelSelector'],
  },
  ownKeysAreApart,
  {
    cel: '!has(self.matchLabelKeys) || !has(self.mismatchLabelKeys) || self.matchLabelKeys.all(key, !(key in self.mismatchLabelKeys))',
    holds: ({ matchLabelKeys = [], mismatchLabelKeys = [] }) => !matchLabelKeys.some((key) => mismatchLabelKeys.includes(key)),
    message: 'must name other keys than matchLabelKeys',
    field: ['mismatchLabelKeys'],
  },
);

const PodAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(PodAffinityTerm).max(10).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.object({ weight: preferenceWeight(), podAffinityTerm: PodAffinityTerm }))
    .max(10)
    .optional(),
});

export const Affinity = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: z.object({ nodeSelectorTerms: z.array(NodeSelectorTerm).min(1).max(10) }).optional(),
      preferredDuringSchedulingIgnoredDuringExecution: z
        .array(z.object({ weight: preferenceWeight(), preference: NodeSelectorTerm }))
        .max(10)
        .optional(),
    })
    .optional(),
  podAffinity: PodAffinity.optional(),
  podAntiAffinity: PodAffinity.optional(),
});

const TopologySpreadConstraint = withRules(
  z.object({
    maxSkew: z.int().min(1).max(LARGEST_INT32),
    topologyKey: labelKey(),
    whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
    labelSelector: LabelSelector.optional(),
    matchLabelKeys: labelKeys().optional(),
    minDomains: z.int().min(1).max(LARGEST_INT32).optional(),
    nodeAffinityPolicy: z.enum(['Honor', 'Ignore']).optional(),
    nodeTaintsPolicy: z.enum(['Honor', 'Ignore']).optional(),
  }),
  {
    cel: "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
    holds: ({ minDomains, whenUnsatisfiable }) => minDomains === undefined || whenUnsatisfiable === 'DoNotSchedule',
    message: 'needs whenUnsatisfiable: DoNotSchedule',
    field: ['minDomains'],
  },
  ownKeysAreApart,
);

export const TopologySpreadConstraints = withRules(z.array(TopologySpreadConstraint).max(8), {
  cel: 'self.all(a, self.exists_one(b, b.topologyKey == a.topologyKey && b.whenUnsatisfiable == a.whenUnsatisfiable))',
  holds: (constraints) =>
    new Set(constraints.map(({ topologyKey, whenUnsatisfiable }) => `${topologyKey} ${whenUnsatisfiable}`)).size === constraints.length,
  message: 'entries must differ in topologyKey or whenUnsatisfiable',
});
