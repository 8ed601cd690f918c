/** Seeded random numbers with a taste for edge values. */

export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** 32 random bits (mulberry32). */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
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
