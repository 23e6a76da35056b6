import type { Random } from '../random.ts';
import { between } from './canvas.ts';
import type { Canvas, Colour } from './canvas.ts';
import type { Raster } from './rasters.ts';

/** Where a drawing goes: centre and longer side in pixels, angle in radians clockwise, mirrored or not. */
export interface Pose {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly angle: number;
  readonly mirrored: boolean;
}

/** A drawing in its place: a rectangle of pixels (it may reach over the scene's edge) with red, green, blue times alpha, and alpha, in 0..255. */
export interface Layer {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** Adds the value of a level at (x, y) in its pixels, bilinear; outside is transparent. */
function addSample({ side, data }: Raster['levels'][number], x: number, y: number, into: Float32Array): void {
  const [fx, fy] = [x - 0.5, y - 0.5];
  if (fx <= -1 || fy <= -1 || fx >= side || fy >= side) return;
  const [left, top] = [Math.floor(fx), Math.floor(fy)];
  const [wx, wy] = [fx - left, fy - top];
  const addCorner = (column: number, row: number, weight: number) => {
    if (column < 0 || row < 0 || column >= side || row >= side) return;
    const from = (row * side + column) * 4;
    const alpha = data[from + 3];
    if (alpha === 0) return;
    into[0] += weight * data[from];
    into[1] += weight * data[from + 1];
    into[2] += weight * data[from + 2];
    into[3] += weight * alpha;
  };
  addCorner(left, top, (1 - wx) * (1 - wy));
  addCorner(left + 1, top, wx * (1 - wy));
  addCorner(left, top + 1, (1 - wx) * wy);
  addCorner(left + 1, top + 1, wx * wy);
}

/**
 * Draws a raster in its pose, four samples a pixel from the level that has about the pose's resolution.
 * @param softness 1: sharp; larger: taken from a level that is coarser by this factor (for shadows)
 */
export function renderLayer(raster: Raster, pose: Pose, softness = 1): Layer {
  const { box, levels } = raster;
  const sidePixels = pose.size / box.side; // side of the whole raster, in pixels of the scene
  const finest = levels[0].side;
  const wanted = Math.floor(Math.log2(Math.max(1, (finest / sidePixels) * softness)));
  const level = levels[Math.min(wanted, levels.length - 1)];
  const scale = level.side / sidePixels;
  const samples = softness === 1 ? 2 : 1; // a side
  const reach = Math.ceil(pose.size * 0.75 + softness * 2);
  const [left, top, width] = [Math.floor(pose.x) - reach, Math.floor(pose.y) - reach, 2 * reach + 1];
  const [cos, sin] = [Math.cos(pose.angle), Math.sin(pose.angle)];
  const data = new Float32Array(width * width * 4);
  const sum = new Float32Array(4);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      sum.fill(0);
      for (let s = 0; s < samples * samples; s++) {
        const dx = left + x + ((s % samples) + 0.5) / samples - pose.x;
        const dy = top + y + (Math.floor(s / samples) + 0.5) / samples - pose.y;
        const along = (cos * dx + sin * dy) * (pose.mirrored ? -1 : 1);
        addSample(level, box.centreX * level.side + along * scale, box.centreY * level.side + (cos * dy - sin * dx) * scale, sum);
      }
      if (sum[3] > 0) for (let c = 0; c < 4; c++) data[(y * width + x) * 4 + c] = sum[c] / (samples * samples);
    }
  }
  return { left, top, width, data };
}

/** Calls back for every pixel of the layer that lies in a scene of `side`² pixels: index in the scene, index of the layer's values. */
export function forEachPixel(layer: Layer, side: number, visit: (pixel: number, value: number) => void): void {
  for (let y = Math.max(0, -layer.top); y < Math.min(layer.width, side - layer.top); y++) {
    for (let x = Math.max(0, -layer.left); x < Math.min(layer.width, side - layer.left); x++) {
      visit((layer.top + y) * side + layer.left + x, (y * layer.width + x) * 4);
    }
  }
}

/** Changes the drawing's colours: hue turned, saturation, contrast and brightness scaled, by random amounts. */
export function jitterColours(layer: Layer, random: Random): void {
  const turn = between(random, -0.5, 0.5);
  const saturation = between(random, 0.7, 1.25);
  const contrast = between(random, 0.85, 1.15);
  const brightness = between(random, 0.8, 1.1);
  const offset = between(random, -20, 20) + 127 * (1 - contrast);
  const [cos, sin] = [Math.cos(turn) * saturation, Math.sin(turn) * saturation];
  for (let i = 0; i < layer.data.length; i += 4) {
    const alpha = layer.data[i + 3];
    if (alpha === 0) continue;
    const [r, g, b] = [layer.data[i], layer.data[i + 1], layer.data[i + 2]];
    const luma = 0.299 * r + 0.587 * g + 0.114 * b;
    // Colour differences turned about the grey axis.
    const [u, v] = [b - luma, r - luma];
    const [turnedU, turnedV] = [cos * u - sin * v, sin * u + cos * v];
    const red = luma + turnedV;
    const blue = luma + turnedU;
    const green = (luma - 0.299 * red - 0.114 * blue) / 0.587;
    const shift = (offset * alpha) / 255;
    layer.data[i] = Math.min(alpha, Math.max(0, (red * contrast + shift) * brightness));
    layer.data[i + 1] = Math.min(alpha, Math.max(0, (green * contrast + shift) * brightness));
    layer.data[i + 2] = Math.min(alpha, Math.max(0, (blue * contrast + shift) * brightness));
  }
}

/** Lays a layer over the canvas. */
export function paintLayer(canvas: Canvas, layer: Layer): void {
  forEachPixel(layer, canvas.side, (pixel, value) => {
    const rest = 1 - layer.data[value + 3] / 255;
    for (let c = 0; c < 3; c++) canvas.data[pixel * 3 + c] = canvas.data[pixel * 3 + c] * rest + layer.data[value + c];
  });
}

/** Darkens the canvas where the layer is. */
export function paintShadow(canvas: Canvas, layer: Layer, darkness: number, tint: Colour): void {
  forEachPixel(layer, canvas.side, (pixel, value) => {
    const opacity = (layer.data[value + 3] / 255) * darkness;
    for (let c = 0; c < 3; c++) canvas.data[pixel * 3 + c] += (tint[c] - canvas.data[pixel * 3 + c]) * opacity;
  });
}
