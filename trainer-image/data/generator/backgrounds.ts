import type { Random } from '../random.ts';
import { between, blend, clamp, fromHsv, pick, randomPalette } from './canvas.ts';
import type { Canvas, Colour } from './canvas.ts';
import { FIELDS } from './fields.ts';

const SHADES = 256;

/** Colours spread evenly over 256 shades, each red, green and blue. */
function shadesOf(palette: readonly Colour[]): Float32Array {
  const shades = new Float32Array(SHADES * 3);
  for (let i = 0; i < shades.length; i++) {
    const place = (Math.floor(i / 3) / (SHADES - 1)) * (palette.length - 1);
    const index = Math.min(Math.floor(place), palette.length - 2);
    shades[i] = palette[index][i % 3] + (palette[index + 1][i % 3] - palette[index][i % 3]) * (place - index);
  }
  return shades;
}

/** Paints a random pattern over the whole canvas; `opacity` 1 replaces what was there. */
function paintPattern(canvas: Canvas, random: Random, opacity: number): void {
  const { side } = canvas;
  const { make, hard } = pick(random, FIELDS);
  const field = make(random);
  const shades = shadesOf(randomPalette(random));
  const samples = hard ? 2 : 1; // a side
  const weight = 1 / (samples * samples);
  const colour = new Float32Array(3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      colour.fill(0);
      for (let s = 0; s < samples * samples; s++) {
        const dx = ((s % samples) + 0.5) / samples;
        const dy = (Math.floor(s / samples) + 0.5) / samples;
        const shade = Math.round(clamp(field((x + dx) / side, (y + dy) / side), 0, 1) * (SHADES - 1)) * 3;
        for (let c = 0; c < 3; c++) colour[c] += shades[shade + c] * weight;
      }
      blend(canvas, y * side + x, colour, opacity);
    }
  }
}

/** How far shapes reach from their centre, at most, in units of their radius. */
const REACH = 2.8;

/** Signed distance to a shape around the origin, in units of its radius, negative inside. */
type Shape = (x: number, y: number) => number;

/** A regular polygon, or a star where `inner` is below 1. */
function polygon(corners: number, inner: number): Shape {
  const points = Array.from({ length: corners * 2 }, (_, i) => {
    const radius = i % 2 === 0 ? 1 : inner * Math.cos(Math.PI / corners);
    return { x: radius * Math.sin((i * Math.PI) / corners), y: -radius * Math.cos((i * Math.PI) / corners) };
  });
  return (x, y) => {
    if (x * x + y * y > 1.5) return 1; // well outside
    let nearest = Infinity;
    let inside = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const a = points[j];
      const dx = points[i].x - a.x;
      const dy = points[i].y - a.y;
      const along = clamp(((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy), 0, 1);
      nearest = Math.min(nearest, (x - a.x - along * dx) ** 2 + (y - a.y - along * dy) ** 2);
      if (a.y > y !== points[i].y > y && x < a.x + ((y - a.y) / dy) * dx) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}

const SHAPES: Readonly<Record<string, (random: Random) => Shape>> = {
  disc: () => (x, y) => Math.sqrt(x * x + y * y) - 0.9,
  ring: (random) => {
    const thickness = between(random, 0.08, 0.2);
    return (x, y) => Math.abs(Math.sqrt(x * x + y * y) - 0.8) - thickness;
  },
  bar: (random) => {
    const half = between(random, 0.04, 0.14);
    return (x, y) => Math.sqrt(Math.max(Math.abs(x) - 2.5, 0) ** 2 + y * y) - half;
  },
  box: (random) => {
    const [width, height] = [between(random, 0.5, 1), between(random, 0.4, 0.9)];
    return (x, y) => Math.max(Math.abs(x) - width, Math.abs(y) - height);
  },
  wave: (random) => {
    const [half, bends] = [between(random, 0.05, 0.12), between(random, 2, 5)];
    return (x, y) => Math.max(Math.abs(y - 0.3 * Math.sin(bends * x)) * 0.7 - half, Math.abs(x) - 2);
  },
  triangle: () => polygon(3, 1),
  pentagon: () => polygon(5, 1),
  star: (random) => polygon(pick(random, [4, 5, 6]), between(random, 0.45, 0.7)),
};

/** Things that are no class: plain shapes in the colours that drawings have, too. */
function paintClutter(canvas: Canvas, random: Random): void {
  const { side } = canvas;
  const shape = pick(random, Object.values(SHAPES))(random);
  const colour = random() < 0.25 ? fromHsv(0, 0, random()) : fromHsv(random(), between(random, 0.3, 1), between(random, 0.4, 1));
  const [centreX, centreY] = [random() * side, random() * side];
  const radius = between(random, 0.03, 0.16) * side;
  const angle = random() * 2 * Math.PI;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const opacity = between(random, 0.55, 1);
  const reach = Math.ceil(radius * REACH) + 1;
  const [left, right] = [Math.max(0, Math.floor(centreX) - reach), Math.min(side, Math.ceil(centreX) + reach)];
  const [top, bottom] = [Math.max(0, Math.floor(centreY) - reach), Math.min(side, Math.ceil(centreY) + reach)];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const dx = (x + 0.5 - centreX) / radius;
      const dy = (y + 0.5 - centreY) / radius;
      const coverage = clamp(0.5 - shape(cos * dx + sin * dy, cos * dy - sin * dx) * radius, 0, 1);
      if (coverage > 0) blend(canvas, y * side + x, colour, coverage * opacity);
    }
  }
}

/** Fills the canvas with a background: one pattern or two over each other, and up to nine plain shapes. */
export function paintBackground(canvas: Canvas, random: Random): void {
  paintPattern(canvas, random, 1);
  if (random() < 0.5) paintPattern(canvas, random, between(random, 0.1, 0.45));
  const shapes = Math.floor(random() * random() * 10);
  for (let i = 0; i < shapes; i++) paintClutter(canvas, random);
}
