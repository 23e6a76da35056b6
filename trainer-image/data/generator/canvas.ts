import type { Random } from '../random.ts';

/** A colour: red, green, blue in 0..255, not necessarily whole. */
export type Colour = readonly [number, number, number];

/** A square picture in the making: `side`² pixels of red, green, blue in 0..255, not necessarily whole. */
export interface Canvas {
  readonly side: number;
  readonly data: Float32Array;
}

export const createCanvas = (side: number): Canvas => ({ side, data: new Float32Array(side * side * 3) });

/** A number in [low, high). */
export const between = (random: Random, low: number, high: number): number => low + (high - low) * random();

/** One of the items. */
export const pick = <Item>(random: Random, items: readonly Item[]): Item => items[Math.floor(random() * items.length)];

export const clamp = (value: number, low: number, high: number): number => (value < low ? low : value > high ? high : value);

/** Hue in turns, saturation and value in [0, 1] → colour. */
export function fromHsv(hue: number, saturation: number, value: number): Colour {
  const channel = (n: number) => {
    const k = (n + hue * 6) % 6;
    return 255 * value * (1 - saturation * clamp(Math.min(k, 4 - k), 0, 1));
  };
  return [channel(5), channel(3), channel(1)];
}

/** 2 to 4 colours that go together: hues within a random span, from muted to vivid. */
export function randomPalette(random: Random): Colour[] {
  const hue = random();
  const span = pick(random, [0.04, 0.12, 0.5]);
  const vivid = random();
  const dark = between(random, 0.25, 0.6);
  return Array.from({ length: 2 + Math.floor(random() * 3) }, () =>
    fromHsv((hue + between(random, -span, span) + 1) % 1, vivid * between(random, 0.3, 1), between(random, dark, 1)),
  );
}

/** Mixes `colour` into a pixel: opacity 0 leaves it, 1 replaces it. */
export function blend(canvas: Canvas, pixel: number, colour: Colour | Float32Array, opacity: number): void {
  for (let c = 0; c < 3; c++) canvas.data[pixel * 3 + c] += (colour[c] - canvas.data[pixel * 3 + c]) * opacity;
}
