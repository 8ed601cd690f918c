/** What a PC's firmware leaves in memory for an image that is loaded without running firmware. */

import { acpiTables } from "./acpi-tables.ts";
import type { MemoryWrite, SegmentState } from "./boot-image.ts";
import { viewOf } from "./bytes.ts";

export const LOW_MEMORY_END = 0x9_fc00;
export const HIGH_MEMORY = 0x10_0000;
const BIOS_AREA = 0xf_0000;
/** GDT for the entry state, in the BIOS area behind the ACPI tables. */
const GDT_ADDRESS = 0xf_f000;

/** Attributes of flat 32-bit segments: G, D/B, present, code readable or data writable, accessed. */
const FLAT_CODE = 0xc9b;
const FLAT_DATA = 0xc93;

export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  /** 1 usable, 2 reserved (the BIOS's numbers). */
  readonly type: 1 | 2;
}

/** The BIOS's memory map (int 15h, e820). */
export function memoryMap(ramBytes: number): MemoryRange[] {
  const range = (base: number, end: number, type: 1 | 2) => ({ base, length: end - base, type });
  return [
    range(0, LOW_MEMORY_END, 1),
    range(LOW_MEMORY_END, 0xa_0000, 2),
    range(BIOS_AREA, HIGH_MEMORY, 2),
    range(HIGH_MEMORY, ramBytes, 1),
  ];
}

/** BIOS data area: serial ports, segment of the extended data area, KiB below it, text screen. */
function biosDataArea(): MemoryWrite {
  const bytes = new Uint8Array(0x100);
  const view = viewOf(bytes);
  view.setUint16(0x00, 0x3f8, true);
  view.setUint16(0x02, 0x2f8, true);
  view.setUint16(0x0e, LOW_MEMORY_END >> 4, true);
  view.setUint16(0x13, LOW_MEMORY_END >> 10, true);
  bytes[0x49] = 3;
  view.setUint16(0x4a, 80, true);
  view.setUint16(0x63, 0x3d4, true);
  // The first byte of the extended data area is its size in KiB.
  return { address: 0x400, bytes, what: "BIOS data area" };
}

export function firmwareWrites(): MemoryWrite[] {
  const extended = { address: LOW_MEMORY_END, bytes: Uint8Array.of(1), what: "extended BIOS data" };
  return [biosDataArea(), extended, acpiTables()];
}

/** The descriptor of a flat segment of 4 GiB from its VMCB attributes. */
const descriptor = (attributes: number) => [
  ...[0xff, 0xff, 0, 0, 0],
  ...[attributes & 0xff, ((attributes >> 8) << 4) | 15, 0],
];

/** Flat protected-mode segments with these selectors, and the table that holds them. */
export function flatSegments(code: number, data: number) {
  const bytes = new Uint8Array(Math.max(code, data) + 8);
  bytes.set(descriptor(FLAT_CODE), code);
  bytes.set(descriptor(FLAT_DATA), data);
  const flat = { base: 0, limit: 0xffff_ffff };
  const cs: SegmentState = { ...flat, selector: code, attributes: FLAT_CODE };
  const ds: SegmentState = { ...flat, selector: data, attributes: FLAT_DATA };
  const write: MemoryWrite = { address: GDT_ADDRESS, bytes, what: "GDT" };
  return { write, cs, data: ds, gdtr: { base: GDT_ADDRESS, limit: bytes.length - 1 } };
}
