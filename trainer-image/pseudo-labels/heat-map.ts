import type { RgbImage } from '../data/types.ts';

/**
 * A perceptually uniform colour map, computed: an arc through OKLab whose lightness rises evenly from dark violet to light
 * yellow while the hue turns.
 * @param value in [0, 1]; what lies outside is cut off
 * @returns red, green, blue, 0..255
 */
export function heatColour(value: number): [number, number, number] {
  const v = Math.min(Math.max(value, 0), 1);
  const lightness = 0.22 + 0.7 * v;
  const hue = ((300 - 195 * v) * Math.PI) / 180;
  const chroma = 0.06 + 0.11 * Math.sin(Math.PI * (0.15 + 0.7 * v));
  return oklabToSrgb(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

/** OKLab (Ottosson 2020) to 8-bit sRGB, cut off at the gamut. */
function oklabToSrgb(lightness: number, a: number, b: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const byte = (linear: number) => {
    const value = Math.min(Math.max(linear, 0), 1);
    return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
  };
  return [
    byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** How much of the picture shines through. */
const PICTURE_SHARE = 0.4;

/**
 * Heat map of the strongest activation at each pixel over the image in grey.
 * @param activations normalised planes of height·width; none gives the coldest colour everywhere
 */
export function heatMap(image: RgbImage, activations: readonly Float32Array[]): RgbImage {
  const colours = Array.from({ length: 256 }, (_, i) => heatColour(i / 255));
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < image.width * image.height; i++) {
    let strongest = 0;
    for (const plane of activations) strongest = Math.max(strongest, plane[i]);
    const colour = colours[Math.round(255 * Math.min(strongest, 1))];
    const grey = 0.299 * image.data[i * 3] + 0.587 * image.data[i * 3 + 1] + 0.114 * image.data[i * 3 + 2];
    for (let c = 0; c < 3; c++) data[i * 3 + c] = Math.round(PICTURE_SHARE * grey + (1 - PICTURE_SHARE) * colour[c]);
  }
  return { width: image.width, height: image.height, data };
}
