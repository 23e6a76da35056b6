import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import sharp from 'sharp';
import { STYLES } from './drawings.ts';
import type { Drawing, StyleName } from './drawings.ts';

const require = createRequire(import.meta.url);

/** One level of a drawing's pyramid: `side`² pixels of red, green, blue, alpha in 0..255, colours multiplied by alpha. */
export interface RasterLevel {
  readonly side: number;
  readonly data: Float32Array;
}

/** A drawing as pixels, finest level first, each next level half as wide. The box is where the drawing is not transparent. */
export interface Raster {
  readonly levels: readonly RasterLevel[];
  /** Centre of the box and its longer side, in units of the raster's side. */
  readonly box: { readonly centreX: number; readonly centreY: number; readonly side: number };
}

interface Icon {
  readonly body: string;
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}

interface IconSet {
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<Record<string, Icon>>;
}

/** Reads all drawings of a style. */
export async function readIconSet(style: StyleName): Promise<IconSet> {
  const file = require.resolve(`${STYLES[style].package}/icons.json`);
  return JSON.parse(await readFile(file, 'utf8')) as IconSet;
}

/** The drawing as an SVG document, `side` pixels wide and high. */
function svgOf(set: IconSet, name: string, side: number): string {
  const icon = set.icons[name];
  const width = icon.width ?? set.width ?? 16;
  const height = icon.height ?? set.height ?? 16;
  const viewBox = `${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${viewBox}" width="${side}" height="${side}">${icon.body}</svg>`;
}

/** Multiplies colours by alpha, so that averaging neighbours does not bleed the colour of transparent pixels. */
function premultiply(rgba: Uint8Array): Float32Array {
  const result = new Float32Array(rgba.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    for (let c = 0; c < 3; c++) result[i + c] = (rgba[i + c] * alpha) / 255;
    result[i + 3] = alpha;
  }
  return result;
}

/** The next coarser level: means of 2×2 pixels. */
function halve({ side, data }: RasterLevel): RasterLevel {
  const half = side >> 1;
  const result = new Float32Array(half * half * 4);
  for (let y = 0; y < half; y++) {
    for (let x = 0; x < half; x++) {
      const from = (2 * y * side + 2 * x) * 4;
      for (let c = 0; c < 4; c++) {
        const i = from + c;
        result[(y * half + x) * 4 + c] = (data[i] + data[i + 4] + data[i + side * 4] + data[i + side * 4 + 4]) / 4;
      }
    }
  }
  return { side: half, data: result };
}

function boxOf({ side, data }: RasterLevel): Raster['box'] {
  let [left, right, top, bottom] = [side, -1, side, -1];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (data[(y * side + x) * 4 + 3] < 128) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  if (right < 0) throw new Error('a drawing without an opaque pixel');
  return {
    centreX: (left + right + 1) / 2 / side,
    centreY: (top + bottom + 1) / 2 / side,
    side: Math.max(right - left + 1, bottom - top + 1) / side,
  };
}

/** Rasterised drawings, each drawn once when first asked for and kept up to a limit of memory. */
export interface RasterCache {
  get(drawing: Drawing): Promise<Raster>;
}

const CACHE_BYTES = 256 * 1024 * 1024;

/** @param sceneSide side of the scenes in pixels; drawings are rasterised at the next power of two */
export function createRasterCache(sceneSide: number): RasterCache {
  const side = 2 ** Math.ceil(Math.log2(sceneSide));
  const sets = new Map<StyleName, Promise<IconSet>>();
  const rasters = new Map<string, Raster>();
  const limit = Math.max(1, Math.floor(CACHE_BYTES / (side * side * 4 * 4 * (4 / 3))));

  const draw = async ({ style, icon }: Drawing): Promise<Raster> => {
    const set = sets.get(style) ?? readIconSet(style);
    sets.set(style, set);
    const pixels = await sharp(Buffer.from(svgOf(await set, icon, side)))
      .ensureAlpha()
      .raw()
      .toBuffer();
    const levels: RasterLevel[] = [{ side, data: premultiply(pixels) }];
    while (levels[levels.length - 1].side > 4) levels.push(halve(levels[levels.length - 1]));
    return { levels, box: boxOf(levels[0]) };
  };

  return {
    async get(drawing) {
      const name = `${drawing.style}/${drawing.icon}`;
      const known = rasters.get(name);
      if (known !== undefined) return known;
      const raster = await draw(drawing);
      if (rasters.size >= limit) rasters.delete(rasters.keys().next().value as string);
      rasters.set(name, raster);
      return raster;
    },
  };
}
