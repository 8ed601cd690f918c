/** Bytes of memory whose writes are events: the VMCB's, the program's text, and those of each `write(...)`. */
import type { MachineMemory } from "../emulator/index.ts";
import { type AddressRange, overlapping, sameRanges } from "./address-range.ts";
import { pagesOf, watchRange } from "./watched-ranges.ts";

/** By name, which bytes are watched: what goes back in time with the machine. */
export type WriteWatchState = ReadonlyMap<string, readonly AddressRange[]>;

interface Watched {
  readonly ranges: readonly AddressRange[];
  readonly release: () => void;
}

export class WriteWatch {
  private readonly memory: MachineMemory;
  private readonly watched = new Map<string, Watched>();

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  dispose(): void {
    for (const { release } of this.watched.values()) release();
    this.watched.clear();
  }

  /** Pages whose writes are noticed here, those of several names as often. */
  get pages(): number {
    return pagesOf([...this.watched.values()].flatMap(({ ranges }) => ranges));
  }

  /** What is watched under a name from now on. */
  watch(name: string, given: readonly AddressRange[]): void {
    const { memory } = this;
    const ranges = given.map(({ first, bytes }) => ({ first: memory.canonical(first), bytes }));
    const before = this.watched.get(name);
    if (before !== undefined && sameRanges(before.ranges, ranges)) return;
    const releases = ranges.map((range) => watchRange(memory, range));
    before?.release();
    const release = () => {
      for (const each of releases) each();
    };
    this.watched.set(name, { ranges, release });
  }

  isWatched(name: string): boolean {
    return this.watched.has(name);
  }

  save(): WriteWatchState {
    return new Map(Array.from(this.watched, ([name, each]) => [name, each.ranges]));
  }

  /** Of names that the state does not have, nothing is watched. */
  restore(saved: WriteWatchState): void {
    this.dispose();
    for (const [name, ranges] of saved) this.watch(name, ranges);
  }

  /** Whether any of the bytes is watched under the name. */
  isAbout(name: string, address: number, bytes: number): boolean {
    const watched = this.watched.get(name);
    return watched !== undefined && overlapping(watched.ranges, address, bytes) !== undefined;
  }
}
