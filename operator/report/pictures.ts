import sharp from 'sharp';
import { readImage } from '../../trainer-image/data/images.ts';
import { encodeIndexPng, VOC_PALETTE } from '../../trainer-image/data/index-png.ts';
import type { LabelMap, RgbImage } from '../../trainer-image/data/types.ts';
import { colorize, DISTANCE_RAMP, drawMistakes, drawScribble, fitSize, resizeLabels } from './pixels.ts';
import type { Picture } from './report-data.ts';

/** Long side of a picture, in pixels. */
const SIDE = 320;
/** Long side of the small pictures in a strip. */
const STRIP_SIDE = 240;

type Caption = Pick<Picture, 'title' | 'alt'> & { readonly chosen?: boolean };

/** Reads any image (photograph, heat map) as an RGB image with a long side of `side` pixels at most, or exactly if `enlarge`. */
export async function readScaled(file: string, enlarge = false): Promise<RgbImage> {
  return resizeImage(await readImage(file), SIDE, enlarge);
}

/** A photograph or heat map. */
export async function imagePicture(image: RgbImage, caption: Caption): Promise<Picture> {
  return picture(image, await webp(image, 82), 'image/webp', false, caption);
}

/** A label map in the palette's colours, pixel by pixel. */
export function labelPicture(map: LabelMap, caption: Caption): Picture {
  const scaled = resizeLabels(map, fitSize(map, SIDE));
  return picture(scaled, encodeIndexPng(scaled), 'image/png', true, caption);
}

/** A distance map on the ramp from dark (0) to light (255). */
export async function distancePicture(map: LabelMap, caption: Caption): Promise<Picture> {
  const scaled = await resizeImage(colorize(map, DISTANCE_RAMP), STRIP_SIDE);
  return picture(scaled, await webp(scaled, 78), 'image/webp', false, caption);
}

/** Scribbles, thickened, over the faded image. */
export async function scribblePicture(image: RgbImage, scribble: LabelMap, caption: Caption): Promise<Picture> {
  const radius = Math.max(image.width, image.height) / 140;
  const drawn = drawScribble(image, scribble, VOC_PALETTE, radius);
  return picture(drawn, await webp(drawn, 88), 'image/webp', false, caption);
}

/** Wrong pixels over the faded image. */
export async function mistakesPicture(image: RgbImage, prediction: LabelMap, truth: LabelMap, caption: Caption): Promise<Picture> {
  const drawn = drawMistakes(image, resizeLabels(prediction, image), resizeLabels(truth, image));
  return picture(drawn, await webp(drawn, 88), 'image/webp', false, caption);
}

function picture({ width, height }: RgbImage | LabelMap, bytes: Uint8Array, type: string, crisp: boolean, caption: Caption): Picture {
  const src = `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
  return { title: caption.title, alt: caption.alt, src, width, height, crisp, chosen: caption.chosen ?? false };
}

async function resizeImage(image: RgbImage, side: number, enlarge = false): Promise<RgbImage> {
  const size = fitSize(image, side, enlarge);
  if (size.width === image.width && size.height === image.height) return image;
  const data = await fromRaw(image)
    .resize({ ...size, fit: 'fill' })
    .raw()
    .toBuffer();
  return { ...size, data: new Uint8Array(data) };
}

function webp(image: RgbImage, quality: number): Promise<Buffer> {
  return fromRaw(image).webp({ quality, smartSubsample: true }).toBuffer();
}

function fromRaw({ width, height, data }: RgbImage) {
  return sharp(data, { raw: { width, height, channels: 3 } });
}
