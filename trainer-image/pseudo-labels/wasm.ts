import { REFINEMENT_KERNEL } from './refinement-kernel.ts';

/** The part of the WebAssembly API that is used here; TypeScript has it only among a browser's types. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

/** Functions of refinement-kernel.wat, which documents them; all addresses, strides and offsets are bytes. */
export interface RefinementKernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  affinities(
    image: number,
    plane: number,
    stride: number,
    blocks: number,
    height: number,
    offsets: number,
    prior: number,
    taps: number,
    weight: number,
    share: number,
    kernel: number,
  ): void;
  diffuse(
    from: number,
    to: number,
    plane: number,
    planes: number,
    stride: number,
    blocks: number,
    height: number,
    offsets: number,
    taps: number,
    kernel: number,
  ): void;
}

/** A new instance with a memory of its own. */
export function createRefinementKernel(): RefinementKernel {
  const module = new WebAssembly.Module(Buffer.from(REFINEMENT_KERNEL, 'base64'));
  return new WebAssembly.Instance(module).exports as RefinementKernel;
}
