/** Ranges of memory whose writes are watched, so that what was read there need not be read again. */
import { type MachineMemory, PAGE_SIZE } from "../emulator/index.ts";

interface Watched {
  readonly first: number;
  readonly bytes: number;
  readonly releases: readonly (() => void)[];
}

/** Its owner tells it of each physicalWrite and poke event. */
export class WatchedRanges {
  private readonly memory: MachineMemory;
  private readonly ranges: Watched[] = [];

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  /** The same object for as long as nothing was written there. */
  unchanged(address: number, bytes: number): object {
    const first = this.memory.canonical(address);
    const known = this.ranges.find((each) => each.first === first && each.bytes === bytes);
    if (known !== undefined) return known;
    const releases: (() => void)[] = [];
    for (let at = first - (first % PAGE_SIZE); at < first + bytes; at += PAGE_SIZE) {
      releases.push(this.memory.watchWrites(at));
    }
    const range = { first, bytes, releases };
    this.ranges.push(range);
    return range;
  }

  written(address: number, size: number): void {
    for (let i = this.ranges.length - 1; i >= 0; i--) {
      const { first, bytes, releases } = this.ranges[i] as Watched;
      if (address >= first + bytes || address + size <= first) continue;
      for (const release of releases) release();
      this.ranges.splice(i, 1);
    }
  }

  clear(): void {
    for (const { releases } of this.ranges.splice(0)) for (const release of releases) release();
  }
}
