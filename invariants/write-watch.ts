/** Bytes of memory whose writes are events: the VMCB's, the program's text, and those of each `write(...)`. */
import { type Machine, type ObserverEvents, PAGE_SIZE } from "../emulator/index.ts";
import { type AddressRange, overlapping, sameRanges } from "./address-range.ts";
import type { WriteFacts } from "./model/view.ts";
import { pagesOf, watchRange } from "./watched-ranges.ts";

export type PendingWrite = WriteFacts & { readonly icount: number };
type WriteEvent = ObserverEvents["physicalWrite"];
/** By name, which bytes are watched. */
type RangesByName = ReadonlyMap<string, readonly AddressRange[]>;

/** What goes back in time with the machine. */
export interface WriteWatchState {
  readonly ranges: RangesByName;
  readonly pending: PendingWrite | undefined;
}

interface Watched {
  readonly ranges: readonly AddressRange[];
  readonly release: () => void;
}

export class WriteWatch {
  private readonly machine: Machine;
  private readonly watched = new Map<string, Watched>();
  /** A write to the VMCB while a guest runs: the CPU's own if an exit comes at once. */
  private pending: PendingWrite | undefined;
  /** Instructions retired before the last VMRUN: what is written then is its own. */
  private lastVmrun: number | undefined;

  constructor(machine: Machine) {
    this.machine = machine;
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
    const { memory } = this.machine;
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
    const ranges = new Map(Array.from(this.watched, ([name, each]) => [name, each.ranges]));
    return { ranges, pending: this.pending };
  }

  /** Of names that the state does not have, nothing is watched. */
  restore({ ranges, pending }: WriteWatchState): void {
    this.dispose();
    for (const [name, each] of ranges) this.watch(name, each);
    this.pending = pending;
    this.lastVmrun = undefined;
  }

  vmrunStarts(): void {
    this.lastVmrun = this.machine.icount;
  }

  factsOf({ address, size, before, after }: WriteEvent): WriteFacts {
    const byGuest = this.machine.state.guestMode !== 0;
    return { address, bytes: size, before, after, msr: undefined, byGuest };
  }

  /**
   * The write that is known now to be an instruction's, and not what VMRUN and #VMEXIT write by
   * themselves: of the VMCB while a guest runs, it is the one before.
   */
  instructions(event: WriteEvent): WriteFacts | undefined {
    const { icount, state, memory } = this.machine;
    const facts = this.factsOf(event);
    if (state.guestMode === 0) return icount === this.lastVmrun ? undefined : facts;
    const vmcb = memory.canonical(Number(state.vmcbAddress));
    if (event.address < vmcb || event.address >= vmcb + PAGE_SIZE) return facts;
    const before = this.takePending(icount);
    this.pending = { ...facts, icount };
    return before;
  }

  /** The guest's write that waits, unless it belongs to what happens at `icount`: an exit's own writes. */
  takePending(icount: number): WriteFacts | undefined {
    const { pending } = this;
    this.pending = undefined;
    return pending !== undefined && pending.icount !== icount ? pending : undefined;
  }

  /** Whether a write is to bytes that are watched under the name. */
  isAbout(name: string, { address, bytes }: WriteFacts): boolean {
    return overlapping(this.watched.get(name)?.ranges ?? [], address, bytes) !== undefined;
  }
}
