import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { INFERENCE } from '../../../trainer-image/model/layers.ts';
import type { Segmentor } from '../../../trainer-image/model/segmentor.ts';
import { writeSafetensors } from '../../../trainer-image/model/weights/safetensors.ts';
import { createModel, modelMetadata, openSegmentor, type ModelMetadata } from '../../../trainer-image/stages/model-metadata.ts';
import { noise4 } from '../tensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'cdsp-model-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const MODEL: ModelMetadata = {
  backbone: 'efficientnet-lite0',
  segmentor: 'deeplabv3plus',
  outputStride: 16,
  classes: ['background', 'cat', 'dog'],
};

for (const headChannels of [8, undefined]) {
  test(`a segmentor with ${headChannels ?? 'the published'} channels in its head opens as it was saved, without LoRM`, () => {
    const model = { ...MODEL, headChannels };
    const saved = createModel(model, true, createRandom('model'));
    const file = join(folder, `${headChannels}.safetensors`);
    writeSafetensors(file, saved.parameters.export(), modelMetadata(model));

    const opened = openSegmentor(file);
    assert.is(opened.model.headChannels, headChannels);
    assert.equal(opened.network.parameters.expected().get('project.conv.weight'), [headChannels ?? 256, 5 * (headChannels ?? 256), 1, 1]);
    assert.is(opened.network.lorm, undefined);
    const image = noise4([1, 32, 32, 3], 'image');
    const logits = (network: Segmentor) => [...network.forward(image, INFERENCE).logits.dataSync()];
    assert.equal(logits(opened.network), logits(saved));
  });
}

test.run();
