/** A map of class indices (or bytes of a distance map), row-major, one byte a pixel; 255 = ignore for labels. */
export interface LabelMap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** An 8-bit RGB image, row-major, three bytes a pixel. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** One image of a split with its files; `mask` and `scribble` are absent where the split does not need them. */
export interface Sample {
  readonly id: string;
  readonly image: string;
  readonly scribble?: string;
  readonly mask?: string;
}

/** An image with a true mask to be held against. */
export interface MaskedSample extends Sample {
  readonly mask: string;
}

export interface Dataset {
  /** Class names, index 0 = background. */
  readonly classes: readonly string[];
  readonly train: readonly Sample[];
  /** Empty where there is no validation split. Either all of its images have a mask or, in data without masks, none. */
  readonly val: readonly Sample[];
}

/** The images that can be scored. */
export function withMasks(samples: readonly Sample[]): MaskedSample[] {
  return samples.filter((sample): sample is MaskedSample => sample.mask !== undefined);
}
