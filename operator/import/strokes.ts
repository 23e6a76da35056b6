import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { brushRadius, forEachPixelNear } from '../../trainer-image/data/brush.ts';
import type { Point } from '../../trainer-image/data/brush.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { classIndexOf } from './class-names.ts';

/** A polyline of a class, in pixels of the image. */
export interface Stroke {
  readonly label: number;
  readonly points: readonly Point[];
}

export interface StrokeAnnotation {
  /** As the file says; undefined where it does not. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  readonly strokes: readonly Stroke[];
}

/** Elements that hold one stroke, and those that hold its class. */
const STROKE_TAGS = ['polygon', 'scribble', 'stroke', 'polyline'];
const CLASS_TAGS = ['tag', 'name', 'label', 'class'];

type Node = Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
  isArray: (name) => name === 'point' || STROKE_TAGS.includes(name),
});

const textOf = (node: Node, names: readonly string[]): string | undefined => {
  for (const name of names) if (typeof node[name] === 'string') return node[name];
  return undefined;
};

const nameOf = (node: Node): string | undefined => textOf(node, CLASS_TAGS)?.trim().replaceAll(/\s+/g, ' ');

function lineOf(xml: string, text: string): string {
  const place = xml.indexOf(text);
  return place < 0 ? '' : `line ${xml.slice(0, place).split('\n').length}: `;
}

function readNumber(node: Node, names: readonly string[], what: string, file: string): number {
  const text = textOf(node, names);
  const value = Number(text);
  if (text === undefined || text.trim() === '' || !Number.isFinite(value)) {
    throw new BadInputError(`${what} must have a number in <${names[0]}>${text === undefined ? '' : `, not "${text}"`}`, { file });
  }
  return value;
}

function readSize(annotation: Node, file: string): StrokeAnnotation['size'] {
  const size = annotation.size as Node | undefined;
  if (size === undefined || typeof size !== 'object') return undefined;
  const [width, height] = [readNumber(size, ['width'], '<size>', file), readNumber(size, ['height'], '<size>', file)];
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new BadInputError(`<size> must be whole numbers above 0, not ${width}×${height}`, { file });
  }
  return { width, height };
}

function readStroke(node: Node, number: number, xml: string, classes: readonly string[], file: string): Stroke {
  const name = nameOf(node);
  if (name === undefined || name === '') throw new BadInputError(`stroke ${number} names no class: <tag> is missing`, { file });
  let label: number;
  try {
    label = classIndexOf(name, classes, { file, field: 'tag' });
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    throw new BadInputError(lineOf(xml, `>${name}<`) + error.message, { file, field: 'tag', cause: error });
  }
  const nodes = (node.point ?? []) as readonly Node[];
  if (nodes.length === 0) throw new BadInputError(`stroke ${number} ("${name}") has no <point>`, { file });
  const points = nodes.map((point, index) => {
    const what = `point ${index + 1} of stroke ${number} ("${name}")`;
    return { x: readNumber(point, ['X', 'x'], what, file), y: readNumber(point, ['Y', 'y'], what, file) };
  });
  return { label, points };
}

/** Whether an XML file holds a stroke; others, such as VOC's boxes, do not. */
export function hasStrokes(xml: string): boolean {
  return STROKE_TAGS.some((tag) => new RegExp(`<${tag}[\\s>]`).test(xml));
}

/**
 * Parses strokes as ScribbleSup has them: `<annotation>` with `<size>` and any number of `<polygon>`, each with a class name in
 * `<tag>` and the points of a polyline as `<point><X>…</X><Y>…</Y></point>`.
 * @param classes class names, index 0 = background
 * @param file named in errors
 * @throws BadInputError for broken XML (with its line), unknown classes (with the nearest name), points that are no numbers
 */
export function parseStrokes(xml: string, classes: readonly string[], file: string): StrokeAnnotation {
  const { text, annotation, nodes } = parseAnnotation(xml, file);
  const strokes = nodes.map((node, index) => readStroke(node, index + 1, text, classes, file));
  return { size: annotation === undefined ? undefined : readSize(annotation, file), strokes };
}

/** The class names of an annotation's strokes, each as often as it occurs. @throws BadInputError as parseStrokes does */
export function strokeNames(xml: string, file: string): string[] {
  return parseAnnotation(xml, file).nodes.flatMap((node) => nameOf(node) ?? []);
}

/** Of a file that ends early the parser shows its own list of open tags, and no useful line. */
function describeFault({ line, msg }: { readonly line: number; readonly msg: string }): string {
  const [, open] = /^Invalid '(\[.*\])' found/s.exec(msg) ?? [];
  if (open === undefined) return `in line ${line}: ${msg}`;
  const tags = (JSON.parse(open) as readonly string[]).map((name) => `<${name}>`);
  return `at its end: ${tags.join(', ')} ${tags.length === 1 ? 'is' : 'are'} not closed; the file may be incomplete`;
}

/** An annotation, undefined where it is empty, and the elements of its strokes. */
function parseAnnotation(
  xml: string,
  file: string,
): { readonly text: string; readonly annotation: Node | undefined; readonly nodes: readonly Node[] } {
  const text = xml.replace(/^\uFEFF/, '');
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new BadInputError(`broken XML ${describeFault(valid.err)}`, { file });
  const root = parser.parse(text) as Node;
  const annotation = root.annotation as Node | string | undefined;
  if (annotation === undefined) throw new BadInputError('has no <annotation>; strokes in the form of ScribbleSup are needed', { file });
  if (typeof annotation === 'string') return { text, annotation: undefined, nodes: [] };
  return { text, annotation, nodes: STROKE_TAGS.flatMap((tag) => (annotation[tag] ?? []) as readonly Node[]) };
}

/**
 * Draws strokes, later ones over earlier ones; 255 elsewhere. Points on the far edges (x = width, y = height) count as the last pixel:
 * annotations that count from 1 have them.
 * @param strokeWidth in pixels
 * @param file named in errors
 * @throws BadInputError for points outside
 */
export function drawStrokes(
  strokes: readonly Stroke[],
  { width, height }: { readonly width: number; readonly height: number },
  strokeWidth: number,
  file: string,
): LabelMap {
  const data = new Uint8Array(width * height).fill(IGNORE_INDEX);
  for (const [index, { label, points }] of strokes.entries()) {
    const inside = points.map(({ x, y }, number) => {
      if (x < 0 || y < 0 || x > width || y > height) {
        const message = `point ${number + 1} of stroke ${index + 1} lies at (${x}, ${y}), outside the image of ${width}×${height} pixels`;
        throw new BadInputError(message, { file });
      }
      return { x: Math.min(x, width - 1), y: Math.min(y, height - 1) };
    });
    inside.forEach((point, number) => {
      forEachPixelNear({ width, height }, inside[Math.max(0, number - 1)], point, brushRadius(strokeWidth), (pixel) => {
        data[pixel] = label;
      });
    });
  }
  return { width, height, data };
}
