/** Segmentation of data accesses: the full check, and the limits derived from it for generated code. */
import type { SegmentRegister } from "../state/cpu-fields.ts";
import { SEGMENT_REGISTERS } from "../state/cpu-fields.ts";
import type { CpuState, Segment } from "../state/cpu-state.ts";
import { Attribute } from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { hasRealSegments, is64Bit, isCanonical } from "./mode.ts";

const ALWAYS_SLOW = 0xffff_ffff_ffff_ffffn;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/**
 * Whether the segment's type allows the access at all. Real and virtual-8086 mode look at limits
 * only (APM volume 2, sections 4.11 and 4.12: type checks belong to protected mode).
 */
function typeAllows(attributes: number, write: boolean, real: boolean): boolean {
  if (real) return true;
  const wanted = Attribute.present | Attribute.user;
  if ((attributes & wanted) !== wanted) return false;
  const code = (attributes & Attribute.code) !== 0;
  const second = (attributes & Attribute.writable) !== 0;
  return write ? !code && second : !code || second;
}

function isExpandDown(attributes: number, real: boolean): boolean {
  return !real && (attributes & (Attribute.code | Attribute.expandDown)) === Attribute.expandDown;
}

/** Whether bytes [offset, offset + size) are within the segment's limit. Offsets are 32 bits. */
function limitAllows(
  segment: Readonly<Segment>,
  offset: number,
  size: number,
  real: boolean,
): boolean {
  const last = offset + size - 1;
  if (isExpandDown(segment.attributes, real)) {
    const top = (segment.attributes & Attribute.big) !== 0 ? 0xffff_ffff : 0xffff;
    return offset > segment.limit && last <= top;
  }
  return last <= segment.limit;
}

/** Whether a legacy-mode access passes the segment's type and limit checks. */
export function segmentAllows(
  segment: Readonly<Segment>,
  offset: number,
  size: number,
  write: boolean,
  real: boolean,
): boolean {
  return typeAllows(segment.attributes, write, real) && limitAllows(segment, offset, size, real);
}

/** Whether all of [linear, linear + size) is canonical. */
export function isCanonicalRange(linear: bigint, size: number): boolean {
  return isCanonical(linear) && isCanonical(linear + BigInt(size - 1));
}

/**
 * Linear address of a data access, or the fault that it raises: #SS(0) through SS, else #GP(0).
 * APM volume 2, sections 4.11 and 4.12 (legacy), 4.5.3 (64-bit mode: only FS and GS have a base,
 * and addresses must be canonical).
 */
export function checkAccess(
  state: CpuState,
  register: SegmentRegister,
  offset: bigint,
  size: number,
  write: boolean,
): bigint {
  const segment = state[register];
  if (is64Bit(state)) {
    const base = register === "fs" || register === "gs" ? segment.base : 0n;
    const linear = BigInt.asUintN(64, base + offset);
    if (isCanonicalRange(linear, size)) return linear;
  } else {
    const legacy = BigInt.asUintN(32, offset);
    if (segmentAllows(segment, Number(legacy), size, write, hasRealSegments(state))) {
      return BigInt.asUintN(32, segment.base + legacy);
    }
  }
  throw new GuestFault(register === "ss" ? "SS" : "GP", 0);
}

function fastLimit(segment: Readonly<Segment>, write: boolean, real: boolean): bigint {
  const { attributes, limit } = segment;
  if (!typeAllows(attributes, write, real) || isExpandDown(attributes, real)) return ALWAYS_SLOW;
  return BigInt(limit);
}

/**
 * Fills esReadLimit and its like, and stackMask. A limit L lets n bytes at offset o pass when
 * o + n - 1 <= L as signed 64-bit values, so that all ones (-1) sends every access to checkAccess.
 * In 64-bit mode generated code does not look at the limits, and they keep their last value.
 */
export function deriveSegmentLimits(state: CpuState): void {
  if (is64Bit(state)) {
    state.stackMask = ALL_ONES;
    return;
  }
  const real = hasRealSegments(state);
  for (const register of SEGMENT_REGISTERS) {
    state[`${register}ReadLimit`] = fastLimit(state[register], false, real);
    state[`${register}WriteLimit`] = fastLimit(state[register], true, real);
  }
  state.stackMask = (state.ss.attributes & Attribute.big) !== 0 ? 0xffff_ffffn : 0xffffn;
}
