/**
 * RFLAGS in three parts, so that an arithmetic instruction stores two words and never combines bits.
 *
 * flagResult: the result, sign-extended to 64 bits. ZF = (flagResult == 0).
 * flagCarries: bit 63 = CF; bit 62 = CF ^ OF (the carry into the top bit); bit 3 = AF;
 *   bits 15:8 = parity delta: PF = even parity of (flagResult[7:0] ^ delta);
 *   bit 16 = sign delta: SF = flagResult[63] ^ delta.
 * flagsOther: every other bit of RFLAGS in place (bit 1 always 1).
 *
 * APM volume 1, section 3.1.4 defines the flags.
 */
import type { CpuState } from "./cpu-state.ts";

/** Bit positions of RFLAGS. */
export const Flag = {
  CF: 0,
  PF: 2,
  AF: 4,
  ZF: 6,
  SF: 7,
  TF: 8,
  IF: 9,
  DF: 10,
  OF: 11,
  NT: 14,
  RF: 16,
  VM: 17,
  AC: 18,
  VIF: 19,
  VIP: 20,
  ID: 21,
} as const;
export type FlagName = keyof typeof Flag;

/** The flag at its place in RFLAGS. */
export const flagMask = (flag: FlagName): bigint => 1n << BigInt(Flag[flag]);

/** The six flags that arithmetic sets. */
export const STATUS_FLAGS = 0x8d5n;
/** IOPL is bits 13:12. */
export const IOPL_SHIFT = 12;

export const CARRY_BIT = 63n;
export const CARRY_INTO_TOP_BIT = 62n;
export const AUXILIARY_BIT = 3n;
export const PARITY_DELTA_SHIFT = 8n;
export const SIGN_DELTA_BIT = 16n;

function evenParity(byte: number): boolean {
  let b = byte ^ (byte >> 4);
  b ^= b >> 2;
  b ^= b >> 1;
  return (b & 1) === 0;
}

/** The status flags out of the two lazy words, in RFLAGS positions. */
export function statusFlags(result: bigint, carries: bigint): bigint {
  const cf = (carries >> CARRY_BIT) & 1n;
  const of = cf ^ ((carries >> CARRY_INTO_TOP_BIT) & 1n);
  const af = (carries >> AUXILIARY_BIT) & 1n;
  const zf = result === 0n ? 1n : 0n;
  const sf = ((result >> 63n) ^ (carries >> SIGN_DELTA_BIT)) & 1n;
  const low = Number((result ^ (carries >> PARITY_DELTA_SHIFT)) & 0xffn);
  const pf = evenParity(low) ? 1n : 0n;
  return cf | (pf << 2n) | (af << 4n) | (zf << 6n) | (sf << 7n) | (of << 11n);
}

/** The lazy words that stand for the given status flags. */
export function lazyFlags(rflags: bigint): { result: bigint; carries: bigint } {
  const bit = (n: number): bigint => (rflags >> BigInt(n)) & 1n;
  const result = bit(Flag.ZF) === 1n ? 0n : 1n;
  const parityOfResult = result === 0n ? 1n : 0n;
  const carries =
    (bit(Flag.CF) << CARRY_BIT) |
    ((bit(Flag.CF) ^ bit(Flag.OF)) << CARRY_INTO_TOP_BIT) |
    (bit(Flag.AF) << AUXILIARY_BIT) |
    ((bit(Flag.PF) ^ parityOfResult) << PARITY_DELTA_SHIFT) |
    (bit(Flag.SF) << SIGN_DELTA_BIT);
  return { result, carries };
}

/** The whole of RFLAGS. */
export function getRflags(state: CpuState): bigint {
  return state.flagsOther | statusFlags(state.flagResult, state.flagCarries);
}

/** Sets the whole of RFLAGS; reserved bits are forced (bit 1 to 1; 3, 5, 15 and 22 up to 0). */
export function setRflags(state: CpuState, rflags: bigint): void {
  const { result, carries } = lazyFlags(rflags);
  state.flagResult = result;
  state.flagCarries = carries;
  state.flagsOther = (rflags & 0x3f7700n) | 2n;
}

/** One flag. */
export function getFlag(state: CpuState, flag: FlagName): boolean {
  return (getRflags(state) & flagMask(flag)) !== 0n;
}

/** Sets or clears one flag. */
export function setFlag(state: CpuState, flag: FlagName, on: boolean): void {
  const mask = flagMask(flag);
  setRflags(state, on ? getRflags(state) | mask : getRflags(state) & ~mask);
}

/** I/O privilege level. */
export function getIopl(state: CpuState): number {
  return Number((state.flagsOther >> BigInt(IOPL_SHIFT)) & 3n);
}
