/** Seeded random numbers: the same for a seed on every machine, so that a failure can be run again. */

export type RandomBelow = (below: number) => number;
export type RandomFraction = () => number;

/** The seed of a file's random tests: the environment's SEED, else the fixed one, else one of now. */
export function testSeed(fixed?: number): number {
  return Number(process.env.SEED ?? fixed ?? Date.now() & 0xffffff);
}

/** 32 random bits (mulberry32). */
function randomWord(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Whole numbers from 0 below the argument; 0 below 0. */
export function randomBelow(seed: number): RandomBelow {
  const word = randomWord(seed);
  return (below) => (below === 0 ? 0 : word() % below);
}

/** Numbers from 0 up to 1, which is not among them. */
export function randomFraction(seed: number): RandomFraction {
  const word = randomWord(seed);
  return () => word() / 2 ** 32;
}

/** Values of operands, with a taste for edges. */
export class Random {
  /** 32 random bits. */
  readonly u32: () => number;
  constructor(seed: number) {
    this.u32 = randomWord(seed);
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** True once in n times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("Nothing to pick from");
    return item;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A value of `bytes` bytes: half of the time one at an edge. */
  value(bytes: number): bigint {
    const bits = 8 * bytes;
    if (this.oneIn(2)) return BigInt.asUintN(bits, this.u64());
    const top = 1n << BigInt(bits - 1);
    const edges = [0n, 1n, 2n, top - 1n, top, top + 1n, 2n * top - 2n, 2n * top - 1n, 0x99n, 0x3fn];
    return BigInt.asUintN(bits, this.pick(edges));
  }
}
