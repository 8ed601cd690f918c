/** Ranges of memory whose writes are watched, so that what was read there need not be read again. */
import { type MachineMemory, PAGE_SIZE } from "../emulator/index.ts";
import { type AddressRange, overlaps } from "./address-range.ts";

interface Watched extends AddressRange {
  readonly release: () => void;
}

/** Has writes to the pages of a range told, until the returned function is called. */
export function watchRange(memory: MachineMemory, { first, bytes }: AddressRange): () => void {
  const releases: (() => void)[] = [];
  for (let at = first - (first % PAGE_SIZE); at < first + bytes; at += PAGE_SIZE) {
    releases.push(memory.watchWrites(at));
  }
  return () => {
    for (const release of releases) release();
  };
}

/** How many pages the ranges lie on, those of several as often. */
export function pagesOf(ranges: readonly AddressRange[]): number {
  const pageOf = (address: number) => Math.floor(address / PAGE_SIZE);
  return ranges.reduce(
    (n, { first, bytes }) => n + 1 + pageOf(first + bytes - 1) - pageOf(first),
    0,
  );
}

/** Its owner tells it of each physicalWrite and poke event. */
export class WatchedRanges {
  private readonly memory: MachineMemory;
  private readonly ranges: Watched[] = [];
  /** Ranges that were found to be written so far. */
  staleMarks = 0;

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  /** The same object for as long as nothing was written there. */
  unchanged(address: number, bytes: number): object {
    const first = this.memory.canonical(address);
    const known = this.ranges.find((each) => each.first === first && each.bytes === bytes);
    if (known !== undefined) return known;
    const range = { first, bytes, release: watchRange(this.memory, { first, bytes }) };
    this.ranges.push(range);
    return range;
  }

  written(address: number, size: number): void {
    for (let i = this.ranges.length - 1; i >= 0; i--) {
      const range = this.ranges[i] as Watched;
      if (!overlaps(range, address, size)) continue;
      range.release();
      this.staleMarks++;
      this.ranges.splice(i, 1);
    }
  }

  /** Pages whose writes are noticed, those of several ranges as often. */
  get pages(): number {
    return pagesOf(this.ranges);
  }

  clear(): void {
    for (const { release } of this.ranges.splice(0)) release();
  }
}
