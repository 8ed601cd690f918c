/** Where everything lives in the machine's one WebAssembly.Memory (byte addresses of linear memory). */

/** Bytes of one guest page; pages of other sizes are kept as pieces of this size. */
export const PAGE_SIZE = 4096;

/** CPU state of vCPU n is at CPU_BASE + n * CPU_STRIDE (fields: cpu-fields.ts). */
export const CPU_BASE = 0x1_0000;
export const CPU_STRIDE = 0x10_0000;

/**
 * The TLB of a vCPU, at these offsets from its CPU base. Four banks, chosen by world and privilege:
 * bank = (guest ? 2 : 0) + (cpl == 3 ? 1 : 0). Each bank has TLB_ENTRIES direct-mapped entries; the
 * index is bankIndex().
 */
export const TLB_ENTRIES = 1024;
export const TLB_BANKS = 4;

/**
 * Index in a bank, a power of two of entries, of the page of a linear address (its low half): the page
 * number folded once, so that two pages of one index modulo the bank, the ends of a copy of an
 * aligned block, have an entry each.
 */
export function bankIndex(low: number, entries: number): number {
  const page = low >>> 12;
  return (page ^ (page >>> Math.log2(entries))) & (entries - 1);
}

/**
 * Fast data tags, derived from the architectural entries and compared by generated code:
 * +0 readTag u64, +8 writeTag u64 (linear page address, or TLB_NO_TAG), +16 addend u32
 * (linear-memory address = low 32 bits of the linear address + addend), 12 bytes unused.
 */
export const FAST_TLB_OFFSET = 0x2000;
export const FAST_TLB_ENTRY = 32;
export const TLB_NO_TAG = 1n;

/** Architectural data TLB: same banks and indexes, 32 bytes an entry (layout: memory/tlb.ts). */
export const DATA_TLB_OFFSET = FAST_TLB_OFFSET + TLB_BANKS * TLB_ENTRIES * FAST_TLB_ENTRY;
export const TLB_ENTRY = 32;

/** Architectural instruction TLB: four banks of CODE_TLB_ENTRIES. */
export const CODE_TLB_OFFSET = DATA_TLB_OFFSET + TLB_BANKS * TLB_ENTRIES * TLB_ENTRY;
export const CODE_TLB_ENTRIES = 256;

/**
 * Fetch windows, derived from the instruction TLB: same banks and indexes, so that a window lasts no
 * longer than its TLB entry. +0 u64 rip of the page (NO_WINDOW_TAG when empty), +8 u32 slot table,
 * +12 u32 physical page number. One bank more is always empty: for code whose linear addresses
 * are not its rips.
 */
export const WINDOW_OFFSET = CODE_TLB_OFFSET + TLB_BANKS * CODE_TLB_ENTRIES * TLB_ENTRY;
export const WINDOW_ENTRY = 16;
export const WINDOW_BANKS = TLB_BANKS + 1;
export const NO_WINDOW_TAG = 1n;

/** The most vCPUs that the fixed map has room for. */
const MAX_VCPUS = 4;

/** One byte a physical RAM page saying why its fast tags are withheld (PageReason). */
export const REASONS_BASE = CPU_BASE + MAX_VCPUS * CPU_STRIDE;

/** At most 3 GiB of RAM: the PC's hole for devices starts there. */
export const MAX_RAM_BYTES = 3 * 1024 * 1024 * 1024;
const REASONS_BYTES = MAX_RAM_BYTES / PAGE_SIZE;

/** Decoded code: slot tables and records (decode/code-pages.ts). */
export const CODE_BASE = REASONS_BASE + REASONS_BYTES;
export const CODE_BYTES = 96 * 1024 * 1024;

/** Guest RAM: physical address a (below the RAM size) is at RAM_BASE + a. */
export const RAM_BASE = CODE_BASE + CODE_BYTES;

/** Why a physical page is not on the fast path. Bits; any bit set withholds the fast tags named. */
export const PageReason = {
  /** Holds decoded instructions: writes must drop them. Withholds write tags. */
  code: 1,
  /** Written only through the slow path because someone watches writes. Withholds write tags. */
  watchWrite: 2,
  /** Read only through the slow path because someone watches reads. Withholds both tags. */
  watchRead: 4,
  /** Not written since the last snapshot. Withholds write tags. */
  clean: 8,
  /** Read-only memory: writes are dropped. Withholds write tags. */
  rom: 16,
} as const;
