/** A point in pixels; (0, 0) is the middle of the first pixel. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Calls back for every pixel of a `width` × `height` map whose middle lies within `radius` of the segment from a to b: a stroke
 * with round ends. A radius of 0.75 or more leaves no gap in a line.
 */
export function forEachPixelNear(
  { width, height }: { readonly width: number; readonly height: number },
  a: Point,
  b: Point,
  radius: number,
  visit: (pixel: number) => void,
): void {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const squared = dx * dx + dy * dy;
  const left = Math.max(0, Math.floor(Math.min(a.x, b.x) - radius));
  const right = Math.min(width - 1, Math.ceil(Math.max(a.x, b.x) + radius));
  const top = Math.max(0, Math.floor(Math.min(a.y, b.y) - radius));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(a.y, b.y) + radius));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / squared));
      const distance = (x - a.x - along * dx) ** 2 + (y - a.y - along * dy) ** 2;
      if (distance <= radius * radius) visit(y * width + x);
    }
  }
}

/** The radius of a brush of a given width, in pixels; even the thinnest leaves no gap. */
export const brushRadius = (width: number): number => Math.max(width / 2, 0.75);
