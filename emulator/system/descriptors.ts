/** Descriptors in the GDT and LDT: fetching, decoding, marking accessed (APM volume 2, sections 4.6 to 4.8). */
import type { Segment } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import { type ExceptionName, GuestFault } from "./exceptions.ts";
import { isCanonical, isLongActive } from "./mode.ts";

/** Attribute bits in the VMCB's form, which is a descriptor's bits 47:40 and 55:52 put together. */
export const Attribute = {
  /** Data: accessed; system types use all of 3:0. */
  accessed: 1 << 0,
  /** Data: writable. Code: readable. */
  writable: 1 << 1,
  readable: 1 << 1,
  /** Data: expand down. Code: conforming. */
  expandDown: 1 << 2,
  conforming: 1 << 2,
  code: 1 << 3,
  /** Code or data, not a system descriptor. */
  user: 1 << 4,
  present: 1 << 7,
  long: 1 << 9,
  /** D or B: 32-bit. */
  big: 1 << 10,
  granularity: 1 << 11,
} as const;

/** Types of system descriptors, section 4.7.4 (legacy) and 4.8.3 (long mode). */
export const SystemType = {
  tss16: 1,
  ldt: 2,
  tss16Busy: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss: 9,
  tssBusy: 11,
  callGate: 12,
  interruptGate: 14,
  trapGate: 15,
} as const;

/** A segment or system descriptor as read; gates are decoded from `raw` (gates.ts). */
export interface Descriptor {
  readonly attributes: number;
  /** In bytes. */
  readonly limit: number;
  readonly base: bigint;
  readonly raw: bigint;
  /** Linear address of its eight or sixteen bytes. */
  readonly address: bigint;
}

/** Privilege level of a descriptor. */
export const dpl = (attributes: number): number => (attributes >> 5) & 3;

/** RPL cleared: whether the selector is null. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** Error code of a fault that names a selector; `external` is the EXT bit. */
export const selectorCode = (selector: number, external: number): number =>
  (selector & 0xfffc) | external;

export const isPresent = (attributes: number): boolean => (attributes & Attribute.present) !== 0;

/** Type of a system descriptor, or -1 for code and data. */
export function systemType(attributes: number): number {
  return (attributes & Attribute.user) === 0 ? attributes & 0xf : -1;
}

export function isCode(attributes: number): boolean {
  const wanted = Attribute.user | Attribute.code;
  return (attributes & wanted) === wanted;
}

export function isConforming(attributes: number): boolean {
  return isCode(attributes) && (attributes & Attribute.conforming) !== 0;
}

export function isWritableData(attributes: number): boolean {
  const mask = Attribute.user | Attribute.code | Attribute.writable;
  return (attributes & mask) === (Attribute.user | Attribute.writable);
}

/** Decodes the eight bytes of a descriptor. */
export function decodeDescriptor(raw: bigint, address = 0n): Descriptor {
  const low = Number(raw & 0xffffffffn);
  const high = Number(raw >> 32n);
  const attributes = ((high >>> 8) & 0xff) | ((high >>> 12) & 0xf00);
  const units = (low & 0xffff) | (high & 0xf0000);
  const scaled = (attributes & Attribute.granularity) !== 0;
  const limit = scaled ? ((units << 12) | 0xfff) >>> 0 : units;
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  return { attributes, limit, base: BigInt(base), raw, address };
}

/** Where the selector's descriptor is; faults if `bytes` do not lie inside its table. */
function descriptorAddress(
  cpu: Vcpu,
  selector: number,
  bytes: number,
  fault: ExceptionName,
  external: number,
): bigint {
  const { state } = cpu;
  const local = (selector & 4) !== 0;
  const table = local ? state.ldtr : state.gdtr;
  const offset = selector & 0xfff8;
  if ((local && !isPresent(table.attributes)) || offset + bytes - 1 > table.limit) {
    throw new GuestFault(fault, selectorCode(selector, external));
  }
  const address = table.base + BigInt(offset);
  return BigInt.asUintN(isLongActive(state) ? 64 : 32, address);
}

/**
 * Reads the descriptor that a selector names. The selector is not null. A selector outside its
 * table raises `fault` with the selector as error code.
 */
export function readDescriptor(
  cpu: Vcpu,
  selector: number,
  fault: ExceptionName = "GP",
  external = 0,
): Descriptor {
  const address = descriptorAddress(cpu, selector, 8, fault, external);
  return decodeDescriptor(cpu.mmu.read(address, 8, "system"), address);
}

/**
 * The upper half of a 16-byte descriptor of long mode: bits 63:32 of a base or offset. Its own type
 * field (bits 12:8 of the last word) must be zero and the whole must lie inside the table.
 */
export function readUpperHalf(cpu: Vcpu, selector: number, external = 0): bigint {
  const address = descriptorAddress(cpu, selector, 16, "GP", external);
  const upper = cpu.mmu.read(address + 8n, 8, "system");
  if ((upper & 0x1f00_0000_0000n) !== 0n) {
    throw new GuestFault("GP", selectorCode(selector, external));
  }
  return upper & 0xffff_ffffn;
}

/** An LDT or TSS descriptor with its base complete: 16 bytes in long mode. */
export function readSystemSegment(cpu: Vcpu, selector: number): Descriptor {
  const descriptor = readDescriptor(cpu, selector);
  if (!isLongActive(cpu.state)) return descriptor;
  const base = descriptor.base | (readUpperHalf(cpu, selector) << 32n);
  if (!isCanonical(base)) throw new GuestFault("GP", selectorCode(selector, 0));
  return { ...descriptor, base };
}

/** Sets bits of the type field in memory (accessed, busy), if they are clear. */
export function markDescriptor(cpu: Vcpu, descriptor: Descriptor, bits: number): void {
  if ((descriptor.attributes & bits) === bits) return;
  const high = (descriptor.raw >> 32n) | BigInt(bits << 8);
  cpu.mmu.write(descriptor.address + 4n, 4, high, "system");
}

/** Copies a value into a descriptor register. */
export function assignSegment(target: Segment, value: Readonly<Segment>): void {
  target.selector = value.selector;
  target.attributes = value.attributes;
  target.limit = value.limit;
  target.base = value.base;
}
