/** Ranges of memory whose writes are watched, so that what was read there need not be read again. */
import { type MachineMemory, PAGE_SIZE } from "../emulator/index.ts";
import { type AddressRange, overlaps } from "./address-range.ts";

interface Watched extends AddressRange {
  readonly release: () => void;
}

const pageOf = (address: number): number => Math.floor(address / PAGE_SIZE);

/** The numbers of the pages on which a range lies. */
function pagesIn({ first, bytes }: AddressRange): readonly number[] {
  const [from, to] = [pageOf(first), pageOf(first + bytes - 1)];
  return from === to ? [from] : Array.from({ length: to + 1 - from }, (_, i) => from + i);
}

/** Has writes to the pages of a range told, until the returned function is called. */
export function watchRange(memory: MachineMemory, range: AddressRange): () => void {
  const releases = pagesIn(range).map((page) => memory.watchWrites(page * PAGE_SIZE));
  return () => {
    for (const release of releases) release();
  };
}

/** How many pages the ranges lie on, those of several as often. */
export function pagesOf(ranges: readonly AddressRange[]): number {
  return ranges.reduce((sum, range) => sum + pagesIn(range).length, 0);
}

/** Its owner tells it of each physicalWrite and poke event. */
export class WatchedRanges {
  private readonly memory: MachineMemory;
  /** By the number of each page that it lies on. */
  private readonly ranges = new Map<number, readonly Watched[]>();
  /** Ranges that were found to be written so far. */
  staleMarks = 0;

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  /** The same object for as long as nothing was written there. */
  unchanged(address: number, bytes: number): object {
    const first = this.memory.canonical(address);
    const there = this.ranges.get(pageOf(first)) ?? [];
    const known = there.find((each) => each.first === first && each.bytes === bytes);
    if (known !== undefined) return known;
    const range = { first, bytes, release: watchRange(this.memory, { first, bytes }) };
    for (const page of pagesIn(range)) this.put(page, [...(this.ranges.get(page) ?? []), range]);
    return range;
  }

  written(address: number, size: number): void {
    for (const page of pagesIn({ first: address, bytes: size })) {
      for (const range of this.ranges.get(page) ?? []) {
        if (overlaps(range, address, size)) this.drop(range);
      }
    }
  }

  /** Pages whose writes are noticed, those of several ranges as often. */
  get pages(): number {
    return pagesOf(this.all);
  }

  clear(): void {
    for (const { release } of this.all) release();
    this.ranges.clear();
  }

  /** Each once, on however many pages it lies. */
  private get all(): readonly Watched[] {
    return [...new Set([...this.ranges.values()].flat())];
  }

  private drop(range: Watched): void {
    range.release();
    this.staleMarks++;
    for (const page of pagesIn(range)) {
      const others = (this.ranges.get(page) ?? []).filter((each) => each !== range);
      this.put(page, others);
    }
  }

  private put(page: number, ranges: readonly Watched[]): void {
    if (ranges.length > 0) this.ranges.set(page, ranges);
    else this.ranges.delete(page);
  }
}
