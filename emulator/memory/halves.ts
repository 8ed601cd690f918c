/** 64-bit values as two 32-bit halves, which the page walker works with, and together again. */

export const low32 = (value: bigint): number => Number(BigInt.asIntN(32, value));

export const high32 = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

export const join32 = (low: number, high: number): bigint =>
  (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
