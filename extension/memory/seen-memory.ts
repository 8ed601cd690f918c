/** What the memory view has shown at this stop and at the last, to tell which bytes changed. */
import { ROW_BYTES } from "./address.ts";
import type { Cell } from "./read-range.ts";

/** Rows that are remembered of a stop; whoever scrolls on loses the first. */
const MAX_ROWS = 4096;

export class SeenMemory {
  private before = new Map<bigint, readonly Cell[]>();
  private now = new Map<bigint, readonly Cell[]>();

  /** The machine has run: what was seen until here is what bytes are compared with. */
  stopped(): void {
    if (this.now.size === 0) return;
    this.before = this.now;
    this.now = new Map();
  }

  /** Another space, or another machine. */
  forget(): void {
    this.before.clear();
    this.now.clear();
  }

  /** Takes whole rows as they are now; gives the indexes of cells that differ from the last stop. */
  take(top: bigint, cells: readonly Cell[]): number[] {
    const changed: number[] = [];
    for (let start = 0; start < cells.length; start += ROW_BYTES) {
      const row = cells.slice(start, start + ROW_BYTES);
      const address = top + BigInt(start);
      const old = this.before.get(address);
      for (const [i, cell] of row.entries())
        if (old !== undefined && old[i] !== cell) changed.push(start + i);
      this.now.delete(address);
      this.now.set(address, row);
    }
    for (const [oldest] of this.now) {
      if (this.now.size <= MAX_ROWS) break;
      this.now.delete(oldest);
    }
    return changed;
  }
}
