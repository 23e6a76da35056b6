/** The longest field that an experiment may have. */
export const NODE_TERMS = 'spec.placement.default.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';

/** So many node selectors of ten times fifty of the longest values each; four are more than a spec may hold. */
export function withNodeTerms(count: number) {
  const values = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(63, 'x'));
  const term = { matchExpressions: Array.from({ length: 10 }, () => ({ key: 'a', operator: 'In' as const, values })) };
  const required = { nodeSelectorTerms: Array.from({ length: count }, () => term) };
  return { placement: { default: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } } } };
}
