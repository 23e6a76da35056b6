/** A stream of uniform numbers in [0, 1). */
export type Random = () => number;

/** Mixes 32 bits so that every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A deterministic stream that depends on all seeds and on nothing else: integer arithmetic only, so it is the same on every
 * machine. Numbers and strings are told apart, and so are ('ab', 'c') and ('a', 'bc'). The generator is sfc32.
 */
export function createRandom(...seeds: (number | string)[]): Random {
  const text = JSON.stringify(seeds);
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    for (let word = 0; word < 4; word++) state[word] = mix(state[word] ^ Math.imul(unit + 1, 0x01000193 + 2 * word));
  }
  let [a, b, c, counter] = state;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  };
}

/** A whole number in [low, high], both included. */
export function randomInteger(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** The items in random order (Fisher–Yates); the argument is not changed. */
export function shuffle<Item>(items: readonly Item[], random: Random): Item[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInteger(random, 0, i);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
