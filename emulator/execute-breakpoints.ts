/** Addresses before whose instruction the machine asks whether to stop: counted, linear and physical. */

import { PAGE_SIZE } from "./state/memory-map.ts";
import type { PhysicalAddress } from "./vcpu.ts";

const OFFSET = BigInt(PAGE_SIZE - 1);

/** Adds to a count by key; true if the key came or went. */
function count<K>(counts: Map<K, number>, key: K, by: 1 | -1): boolean {
  const before = counts.get(key) ?? 0;
  if (before + by > 0) counts.set(key, before + by);
  else counts.delete(key);
  return before === 0 || before + by === 0;
}

/**
 * A page's place in linear and in physical memory differ, an instruction's offset in it does not:
 * decoded code is marked by offset alone, and the addresses are compared when a mark is reached.
 */
export class ExecuteBreakpoints {
  private readonly linear = new Map<bigint, number>();
  private readonly physical = new Map<PhysicalAddress, number>();
  private readonly offsets = new Map<number, number>();
  private readonly onOffset: (offset: number) => void;

  /** `onOffset` is told of each offset that came to be marked or is so no more. */
  constructor(onOffset: (offset: number) => void) {
    this.onOffset = onOffset;
  }

  changeLinear(address: bigint, by: 1 | -1): void {
    if (by < 0 && !this.linear.has(address)) return;
    if (count(this.linear, address, by)) this.mark(Number(address & OFFSET), by);
  }

  changePhysical(address: PhysicalAddress, by: 1 | -1): void {
    if (by < 0 && !this.physical.has(address)) return;
    if (count(this.physical, address, by)) this.mark(address % PAGE_SIZE, by);
  }

  /** Counts a reason to look at the instructions at this offset of any page. */
  mark(offset: number, by: 1 | -1): void {
    if (count(this.offsets, offset, by)) this.onOffset(offset);
  }

  marked(offset: number): boolean {
    return this.offsets.has(offset);
  }

  at(linear: bigint, physical: PhysicalAddress): boolean {
    return this.linear.has(linear) || this.physical.has(physical);
  }
}
