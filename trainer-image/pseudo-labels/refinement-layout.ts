import { BadInputError } from '../errors.ts';

/**
 * Where everything lies in the kernel's memory. Planes are float32 with a border as wide as the largest dilation, so that
 * a neighbour is one offset for every pixel; rows are rounded up to the kernel's blocks of 16 pixels.
 */
export interface RefinementLayout {
  readonly width: number;
  readonly height: number;
  /** Blocks of 16 pixels in a row. */
  readonly blocks: number;
  /** Rows above and below the image. */
  readonly border: number;
  /** Elements to the left and to the right of a row of blocks. */
  readonly margin: number;
  /** Elements from row to row and from plane to plane. */
  readonly stride: number;
  readonly plane: number;
  /** Element of pixel (0, 0) in the first plane. */
  readonly origin: number;
  /** Bytes. */
  readonly offsets: number;
  readonly prior: number;
  readonly colours: number;
  readonly current: number;
  readonly next: number;
  readonly affinities: number;
  readonly size: number;
}

const BLOCK = 16;
const PAGE_BYTES = 65536;
const MAX_PAGES = 65535;

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** @throws BadInputError where the image does not fit into the 4 GiB that WebAssembly can address. */
export function layOut(width: number, height: number, taps: number, border: number, planes: number): RefinementLayout {
  const margin = roundUp(border, BLOCK);
  const blocks = Math.ceil(width / BLOCK);
  const stride = blocks * BLOCK + 2 * margin;
  const plane = stride * (height + 2 * border);
  let size = 0;
  const take = (elements: number) => {
    const start = size;
    size += roundUp(elements, BLOCK) * 4;
    return start;
  };
  const [offsets, prior, colours] = [take(taps), take(taps), take(3 * plane)];
  const [current, next, affinities] = [take(planes * plane), take(planes * plane), take(blocks * BLOCK * height * taps)];
  if (size > MAX_PAGES * PAGE_BYTES) {
    throw new BadInputError(
      `refining an image of ${width} x ${height} pixels with ${taps} neighbours needs ${(size / 2 ** 30).toFixed(1)} GiB, more than 4; use smaller images or fewer dilations`,
      { field: 'spec.pseudoLabels.refinement.dilations' },
    );
  }
  const origin = border * stride + margin;
  return { width, height, blocks, border, margin, stride, plane, origin, offsets, prior, colours, current, next, affinities, size };
}

/** Grows the memory to hold the layout. */
export function reserve(memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }, layout: RefinementLayout): void {
  const missing = layout.size - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}

/** Continues a plane beyond the image as its border pixels. `plane` is a view that starts at the plane's border. */
export function replicateBorder(plane: Float32Array, layout: RefinementLayout): void {
  const { width, height, border, margin, stride, origin } = layout;
  for (let y = 0, start = origin; y < height; y++, start += stride) {
    plane.fill(plane[start], start - border, start);
    plane.fill(plane[start + width - 1], start + width, start - margin + stride);
  }
  const first = border * stride;
  const last = first + (height - 1) * stride;
  for (let y = 1; y <= border; y++) {
    plane.copyWithin(first - y * stride, first, first + stride);
    plane.copyWithin(last + y * stride, last, last + stride);
  }
}
