import { VOC_PALETTE } from '../data/index-png.ts';
import type { LabelMap, RgbImage } from '../data/types.ts';

/** Share of the class colour in an overlay. */
const OVERLAY_SHARE = 0.5;

/** The image with the predicted classes' colours laid over it; the background stays as it is. */
export function overlay(image: RgbImage, labels: LabelMap): RgbImage {
  const data = Uint8Array.from(image.data, (value, index) => {
    const label = labels.data[Math.floor(index / 3)];
    return label === 0 ? value : Math.round((1 - OVERLAY_SHARE) * value + OVERLAY_SHARE * VOC_PALETTE[label][index % 3]);
  });
  return { ...image, data };
}
