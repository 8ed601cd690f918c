/** Bits of the control registers, and the operating mode that they make (APM volume 2, sections 1.3 and 3.1). */

import type { CpuState } from "../state/cpu-state.ts";
import { flagMask } from "../state/flags.ts";

/** CR0, APM volume 2, section 3.1.1. */
export const CR0 = {
  PE: 1n << 0n,
  MP: 1n << 1n,
  EM: 1n << 2n,
  TS: 1n << 3n,
  ET: 1n << 4n,
  NE: 1n << 5n,
  WP: 1n << 16n,
  AM: 1n << 18n,
  NW: 1n << 29n,
  CD: 1n << 30n,
  PG: 1n << 31n,
} as const;

/** CR4, section 3.1.3. */
export const CR4 = {
  VME: 1n << 0n,
  PVI: 1n << 1n,
  TSD: 1n << 2n,
  DE: 1n << 3n,
  PSE: 1n << 4n,
  PAE: 1n << 5n,
  MCE: 1n << 6n,
  PGE: 1n << 7n,
  PCE: 1n << 8n,
  OSFXSR: 1n << 9n,
  OSXMMEXCPT: 1n << 10n,
} as const;

/** VM_CR, section 15.30.1. */
export const VM_CR = {
  LOCK: 1n << 3n,
  SVMDIS: 1n << 4n,
} as const;

/** EFER, section 3.1.7. */
export const EFER = {
  SCE: 1n << 0n,
  LME: 1n << 8n,
  LMA: 1n << 10n,
  NXE: 1n << 11n,
  SVME: 1n << 12n,
} as const;

const VM_FLAG = flagMask("VM");
const CS_LONG = 1 << 9;

/** Physical addresses have this many bits (CPUID 8000_0008). */
export const PHYSICAL_ADDRESS_BITS = 40;

/** CR0.PE is set (virtual-8086 mode included). */
export function isProtected(state: CpuState): boolean {
  return (state.cr0 & CR0.PE) !== 0n;
}

export function isVirtual8086(state: CpuState): boolean {
  return isProtected(state) && (state.flagsOther & VM_FLAG) !== 0n && !isLongActive(state);
}

/** Segments have no descriptors: real mode or virtual-8086 mode. */
export function hasRealSegments(state: CpuState): boolean {
  return !isProtected(state) || isVirtual8086(state);
}

/** EFER.LMA: 64-bit mode or compatibility mode. */
export function isLongActive(state: CpuState): boolean {
  return (state.efer & EFER.LMA) !== 0n;
}

/** 64-bit mode proper. */
export function is64Bit(state: CpuState): boolean {
  return (state.cs.attributes & CS_LONG) !== 0 && isLongActive(state);
}

/** Whether the address is in canonical form for 48 bits. */
export function isCanonical(address: bigint): boolean {
  const top = BigInt.asUintN(64, address) >> 47n;
  return top === 0n || top === 0x1ffffn;
}

/** Address space identifier that the TLB uses now. */
export function currentAsid(state: CpuState): number {
  return state.guestMode === 0 ? 0 : state.asid;
}
