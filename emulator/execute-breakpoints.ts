/** Addresses before whose instruction the machine asks whether to stop: counted, linear and physical. */

import { PAGE_SIZE } from "./state/memory-map.ts";
import type { PhysicalAddress } from "./vcpu.ts";

const OFFSET = BigInt(PAGE_SIZE - 1);
export const EVERYWHERE = 2n ** 64n - 1n;

/** Page numbers modulo 64, counted, as bits. */
class PageBits {
  bits = 0n;
  private readonly counts = new Map<bigint, number>();

  change(address: bigint, by: 1 | -1): void {
    const bit = 1n << ((address / BigInt(PAGE_SIZE)) & 63n);
    if (count(this.counts, bit, by)) this.bits ^= bit;
  }
}

/** Adds to a count by key; true if the key came or went. */
function count<K>(counts: Map<K, number>, key: K, by: 1 | -1): boolean {
  const before = counts.get(key) ?? 0;
  if (before + by > 0) counts.set(key, before + by);
  else counts.delete(key);
  return before === 0 || before + by === 0;
}

/**
 * A page's place in linear and in physical memory differ, an instruction's offset in it does not:
 * decoded code is marked by offset alone. When a mark is reached, generated code looks whether the page
 * may be one that is meant, and then the addresses are compared.
 */
export class ExecuteBreakpoints {
  private readonly linear = new Map<bigint, number>();
  private readonly physical = new Map<PhysicalAddress, number>();
  private readonly offsets = new Map<number, number>();
  private readonly linearPages = new PageBits();
  private readonly physicalPages = new PageBits();
  /** Marks of any page. */
  private anywhere = 0;
  private readonly onOffset: (offset: number) => void;
  private readonly onPages: () => void;

  /** Told of each offset that came to be marked or is so no more, and that the pages may have changed. */
  constructor(onOffset: (offset: number) => void, onPages: () => void) {
    this.onOffset = onOffset;
    this.onPages = onPages;
  }

  changeLinear(address: bigint, by: 1 | -1): void {
    if (by < 0 && !this.linear.has(address)) return;
    if (!count(this.linear, address, by)) return;
    this.linearPages.change(address, by);
    this.change(Number(address & OFFSET), by);
  }

  changePhysical(address: PhysicalAddress, by: 1 | -1): void {
    if (by < 0 && !this.physical.has(address)) return;
    if (!count(this.physical, address, by)) return;
    this.physicalPages.change(BigInt(address), by);
    this.change(address % PAGE_SIZE, by);
  }

  /** Counts a reason to look at the instructions at this offset of any page. */
  mark(offset: number, by: 1 | -1): void {
    this.anywhere += by;
    this.change(offset, by);
  }

  private change(offset: number, by: 1 | -1): void {
    if (count(this.offsets, offset, by)) this.onOffset(offset);
    this.onPages();
  }

  /** Bit n: on a linear page n modulo 64 an instruction at a marked offset may be meant. */
  get pages(): bigint {
    return this.anywhere > 0 ? EVERYWHERE : this.linearPages.bits;
  }

  /** The same for host-physical pages. */
  get frames(): bigint {
    return this.physicalPages.bits;
  }

  marked(offset: number): boolean {
    return this.offsets.has(offset);
  }

  at(linear: bigint, physical: PhysicalAddress): boolean {
    return this.linear.has(linear) || this.physical.has(physical);
  }
}
