import { IGNORE_INDEX } from '../../../operator/api/experiment.ts';
import { createRandom, randomInteger } from '../random.ts';
import type { Random } from '../random.ts';
import type { LabelMap, RgbImage } from '../types.ts';
import { paintBackground } from './backgrounds.ts';
import { between, clamp, createCanvas, pick } from './canvas.ts';
import type { Canvas } from './canvas.ts';
import { drawingsOf, GENERATOR_CLASSES } from './drawings.ts';
import { noiseField } from '../noise.ts';
import { forEachPixel, jitterColours, paintLayer, paintShadow, renderLayer } from './layers.ts';
import type { Layer, Pose } from './layers.ts';
import type { Raster, RasterCache } from './rasters.ts';

/** At most this share of an object may be hidden by later objects or lie outside the scene; else it goes elsewhere. */
const MOST_HIDDEN = 0.7;

/** Alpha (0..255) from which a pixel is the object's, and up to which it is what lies below; in between, on the edge, it is ignored. */
const OPAQUE = 191;
const CLEAR = 64;

/** Tries to place an object; every sixth failure makes it smaller. */
const TRIES = 60;

interface Placed {
  readonly classIndex: number;
  readonly layer: Layer;
  readonly raster: Raster;
  readonly pose: Pose;
  /** Opaque pixels, those outside the scene included. */
  readonly area: number;
}

export interface Scene {
  readonly image: RgbImage;
  readonly mask: LabelMap;
}

export interface SceneSettings {
  readonly size: number;
  readonly maxObjects: number;
  readonly seed: number;
}

function randomPose(random: Random, side: number, objects: number, shrink: number): Pose {
  const size = Math.max(10, between(random, 0.45, 0.85) * side * objects ** -0.4 * shrink);
  const margin = size * between(random, 0.2, 0.5);
  const angle = random() < 0.1 ? between(random, -Math.PI, Math.PI) : between(random, -0.5, 0.5);
  return { x: between(random, margin, side - margin), y: between(random, margin, side - margin), size, angle, mirrored: random() < 0.5 };
}

/** Opaque pixels of each object that stay visible, later objects lying over earlier ones. */
function visibleAreas(objects: readonly Placed[], side: number): number[] {
  const top = new Uint8Array(side * side);
  objects.forEach(({ layer }, index) => {
    forEachPixel(layer, side, (pixel, value) => {
      if (layer.data[value + 3] >= 128) top[pixel] = index + 1;
    });
  });
  const areas = objects.map(() => 0);
  for (const index of top) if (index > 0) areas[index - 1]++;
  return areas;
}

/** Puts one more object on top, or gives up (undefined) where there is no room that leaves every object visible enough. */
function placeObject(random: Random, raster: Raster, classIndex: number, below: readonly Placed[], side: number, objects: number) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const pose = randomPose(random, side, objects, 0.85 ** Math.floor(attempt / 6));
    const layer = renderLayer(raster, pose);
    let area = 0;
    for (let i = 3; i < layer.data.length; i += 4) if (layer.data[i] >= 128) area++;
    const placed: Placed = { classIndex, layer, raster, pose, area };
    const candidates = [...below, placed];
    if (visibleAreas(candidates, side).every((visible, i) => visible >= (1 - MOST_HIDDEN) * candidates[i].area)) return placed;
  }
  return undefined;
}

/** Classes of a scene's objects. The first ones go round, so that every class occurs in any five scenes; the others are drawn. */
function chooseClasses(random: Random, index: number, maxObjects: number): number[] {
  const foreground = GENERATOR_CLASSES.length - 1;
  const first = 1 + (index % foreground);
  const count = randomInteger(random, 1, maxObjects);
  return Array.from({ length: count }, (_, object) => (object === 0 ? first : randomInteger(random, 1, foreground)));
}

/** The labels of the scene: later objects over earlier ones, 255 on the pixel or so where edge and surroundings mix. */
function maskOf(objects: readonly Placed[], side: number): LabelMap {
  const data = new Uint8Array(side * side);
  for (const { layer, classIndex } of objects) {
    forEachPixel(layer, side, (pixel, value) => {
      const alpha = layer.data[value + 3];
      if (alpha >= OPAQUE) data[pixel] = classIndex;
      else if (alpha > CLEAR) data[pixel] = IGNORE_INDEX;
    });
  }
  return { width: side, height: side, data };
}

/** Light that falls unevenly, a colour cast, contrast and grain: what a camera would do. */
function photograph(canvas: Canvas, random: Random): RgbImage {
  const { side } = canvas;
  const light = noiseField(random, 1.5, 1);
  const [strength, brightness, contrast] = [between(random, 0, 0.5), between(random, 0.85, 1.15), between(random, 0.85, 1.2)];
  const cast = [0, 1, 2].map(() => between(random, 0.93, 1.07));
  const grain = random() * random() * 30;
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const gain = brightness * (1 + strength * (light(x / side, y / side) - 0.5));
      for (let c = 0; c < 3; c++) {
        const i = (y * side + x) * 3 + c;
        const exposed = (canvas.data[i] - 127) * contrast + 127;
        data[i] = clamp(Math.round(exposed * gain * cast[c] + (random() - 0.5) * grain), 0, 255);
      }
    }
  }
  return { width: side, height: side, data };
}

/** Paints one scene, which depends on nothing but the arguments: `split` and `index` choose it among the scenes of the settings. */
export async function renderScene(settings: SceneSettings, split: string, index: number, rasters: RasterCache): Promise<Scene> {
  const { size: side } = settings;
  const random = createRandom('scene', settings.seed, split, index);
  const classes = chooseClasses(random, index, settings.maxObjects);
  const objects: Placed[] = [];
  for (const classIndex of classes) {
    const drawing = pick(random, pick(random, drawingsOf(classIndex)));
    const placed = placeObject(random, await rasters.get(drawing), classIndex, objects, side, classes.length);
    if (placed !== undefined) objects.push(placed);
  }
  const canvas = createCanvas(side);
  paintBackground(canvas, random);
  for (const { layer, raster, pose } of objects) {
    jitterColours(layer, random);
    const [dx, dy, darkness] = [between(random, -0.08, 0.08), between(random, 0, 0.1), between(random, 0, 0.5)];
    const shadow = renderLayer(raster, { ...pose, x: pose.x + dx * pose.size, y: pose.y + dy * pose.size }, 6);
    paintShadow(canvas, shadow, darkness, [10, 10, 20]);
    paintLayer(canvas, layer);
  }
  return { image: photograph(canvas, random), mask: maskOf(objects, side) };
}
