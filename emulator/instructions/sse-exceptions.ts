/** Runs a floating-point SSE operation under MXCSR and turns its flags into state or #XF. */

import type { Execution } from "../execution.ts";
import { SseEnvironment } from "../fpu/binary.ts";
import { GuestFault } from "../system/exceptions.ts";

/** CR4.OSXMMEXCPT: the system handles #XF; without it such an exception is #UD. */
const OSXMMEXCPT = 1n << 10n;
/** The exceptions that are found before computing; an unmasked one keeps the others from being found. */
const PRE_COMPUTATION = 0x07;

/**
 * Computes with the current MXCSR. Flags stick in MXCSR also when the instruction ends in an
 * exception (APM volume 1, section 4.10); the caller writes its destination afterwards.
 */
export function computeSse<T>(x: Execution, compute: (env: SseEnvironment) => T): T {
  const { state } = x.cpu;
  const env = new SseEnvironment(state.mxcsr);
  const result = compute(env);
  const stopsEarly = (env.flags & env.unmasked & PRE_COMPUTATION) !== 0;
  state.mxcsr |= stopsEarly ? env.flags & PRE_COMPUTATION : env.flags;
  if ((env.flags & env.unmasked) !== 0) {
    throw new GuestFault((state.cr4 & OSXMMEXCPT) === 0n ? "UD" : "XF");
  }
  return result;
}

/** The `bits`-wide lanes of a 128-bit value, lowest first. */
export function splitLanes(value: bigint, bits: number): bigint[] {
  const lanes: bigint[] = [];
  for (let at = 0; at < 128; at += bits) {
    lanes.push(BigInt.asUintN(bits, value >> BigInt(at)));
  }
  return lanes;
}

export function joinLanes(lanes: readonly bigint[], bits: number): bigint {
  return lanes.reduceRight((value, lane) => (value << BigInt(bits)) | lane, 0n);
}

/** Replaces the lowest `bits` of a value. */
export function mergeLow(value: bigint, low: bigint, bits: number): bigint {
  return ((value >> BigInt(bits)) << BigInt(bits)) | low;
}
