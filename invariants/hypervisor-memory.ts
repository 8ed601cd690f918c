/** hv.memory: the host-physical bytes that belong to the hypervisor, declared or derived at VMRUN. */

import { type BootImage, type Machine, PAGE_SIZE } from "../emulator/index.ts";
import { type AddressRange, joinRanges } from "./address-range.ts";
import type { LinearPages } from "./linear-pages.ts";
import type { TableCache } from "./table-cache.ts";
import { hostFormat } from "./table-format.ts";
import { tablesFrom } from "./table-tree.ts";
import type { VmrunContext } from "./vmrun-context.ts";

/** A range and what lies there, for messages. */
export interface HypervisorPart extends AddressRange {
  readonly what: string;
}

export interface KnownMemory {
  readonly source: "declared" | "derived";
  /** Joined. */
  readonly ranges: readonly AddressRange[];
  readonly parts: readonly HypervisorPart[];
}

export type HypervisorMemory =
  | KnownMemory
  | { readonly source: "unknown"; readonly reason: string };

/** Sizes of the maps: sections 15.10.1 and 15.11. */
const IO_MAP_BYTES = 0x3000;
const MSR_MAP_BYTES = 0x2000;
/** Bits of intercept word 3 that make VMRUN use the maps. */
const INTERCEPT_IOIO = 1 << 27;
const INTERCEPT_MSR = 1 << 28;

/** What the user declared. Throws a RangeError of one sentence for ranges that mean nothing. */
export function declaredMemory(ranges: readonly AddressRange[]): HypervisorMemory {
  if (ranges.length === 0) throw new RangeError("hypervisorMemory declares no range");
  for (const { first, bytes } of ranges) {
    if (!Number.isSafeInteger(first) || first < 0 || !Number.isSafeInteger(bytes) || bytes <= 0) {
      throw new RangeError(
        `hypervisorMemory has a range of ${bytes} bytes at ${first}: give a host-physical address and a size, both whole, the size above 0`,
      );
    }
  }
  const parts = ranges.map(({ first, bytes }) => ({ first, bytes, what: "the declared memory" }));
  return { source: "declared", ranges: joinRanges(ranges), parts };
}

/** The kernel's segments among all that the loader placed, zero-filled parts included. */
export function imageSegments({ name, writes }: BootImage): AddressRange[] {
  const segments = writes.filter(({ what }) => what.startsWith(`${name} segment `));
  const whole = writes.find(({ what }) => what === name);
  if (segments.length === 0 && whole !== undefined) segments.push(whole);
  return segments.map(({ address, bytes }) => ({ first: address, bytes: bytes.length }));
}

/**
 * Image segments, host page tables, VMCB, host save area, the permission maps in use, and the page
 * of the stack. The nested tables are left out on purpose: npt_tables_in_hypervisor judges them by
 * this set and would hold of any table that is put into it. Nothing is lost: where both npt
 * invariants hold, no leaf maps a nested table, since the tables lie in a set that no leaf maps.
 */
export function derivedMemory(
  machine: Machine,
  cache: TableCache,
  pages: LinearPages,
  context: VmrunContext,
): HypervisorMemory {
  const { image } = machine;
  const segments = image === undefined ? [] : imageSegments(image);
  if (segments.length === 0) {
    return { source: "unknown", reason: "the image of the hypervisor is not known: declare it" };
  }
  const format = hostFormat(context);
  if (format === undefined) return { source: "unknown", reason: "the host runs without paging" };
  const parts: HypervisorPart[] = segments.map((s) => ({ ...s, what: "the image" }));
  const add = (what: string, first: number, bytes: number): void => {
    parts.push({ what, first, bytes });
  };
  add("the VMCB", context.vmcb, PAGE_SIZE);
  add("the host save area", context.hostSaveArea, PAGE_SIZE);
  if (context.interceptMisc1 & INTERCEPT_IOIO) add("the I/O map", context.ioMap, IO_MAP_BYTES);
  if (context.interceptMisc1 & INTERCEPT_MSR) add("the MSR map", context.msrMap, MSR_MAP_BYTES);
  for (const { table } of tablesFrom(cache, format, context.cr3)) {
    if (table.readable) add("the host's page tables", table.address, table.bytes);
  }
  const stack = pages.physical(context.stack, context);
  if (stack !== undefined) add("the host's stack", stack - (stack % PAGE_SIZE), PAGE_SIZE);
  return { source: "derived", ranges: joinRanges(parts), parts };
}
