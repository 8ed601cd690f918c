/** Triggers on bytes of memory, in each address space, and of VMCB fields. */
import { type Machine, PAGE_SIZE, VMCB_FIELDS, vmcbFieldBytes } from "../../emulator/index.ts";
import { formatReference, type SpaceName } from "../addresses/memory-reference.ts";
import type { Debuggee } from "../debuggee.ts";
import { placeSize } from "../place-access.ts";
import type { ValuePlace } from "../value-place.ts";
import { AccessJoin } from "./access-join.ts";
import type { Hit, Trigger } from "./breakpoint.ts";
import { type AccessType, valuesOf, wantsAccess, watchedBytes } from "./data-access.ts";

type MemoryPlace = Extract<ValuePlace, { kind: "memory" }>;
type VmcbPlace = Extract<ValuePlace, { kind: "vmcb" }>;
type Reach = (hit: Hit) => "stop" | undefined;
type Hits = (() => number) | undefined;

const PAGE = BigInt(PAGE_SIZE);
const PAGE_MASK = ~(PAGE - 1n);
const PART_OFFSETS = { selector: 0, attributes: 2, limit: 4, base: 8 } as const;

/** Physical bytes in a row, of which the first is byte `offset` of what is watched. */
interface PhysicalRun {
  readonly address: number;
  readonly size: number;
  readonly offset: number;
}

function all(releases: readonly (() => void)[]): () => void {
  return () => {
    for (const release of releases) release();
  };
}

/** Makes accesses to the pages of the runs events of the machine. */
function watchPages(machine: Machine, runs: readonly PhysicalRun[], type: AccessType): () => void {
  const { memory } = machine;
  const releases = runs.flatMap(({ address, size }) => {
    const made: (() => void)[] = [];
    for (let at = address - (address % PAGE_SIZE); at < address + size; at += PAGE_SIZE) {
      if (type !== "read") made.push(memory.watchWrites(at));
      if (type !== "write") made.push(memory.watchReads(at));
    }
    return made;
  });
  return all(releases);
}

/** A VMCB field or host-physical bytes: all accesses, #VMEXIT's and VMRUN's own included. */
export function physicalTrigger(place: MemoryPlace | VmcbPlace, type: AccessType): Trigger {
  const { address, size } = watchedRange(place);
  return runsTrigger(place, [{ address: Number(address), size, offset: 0 }], type);
}

/** The bytes that are behind a place now, by whatever address they are accessed; undefined where some are missing. */
export function presentBytesTrigger(
  debuggee: Debuggee,
  place: MemoryPlace,
  type: AccessType,
): Trigger | undefined {
  const { runs } = bytesBehind(debuggee, place);
  const size = runs.reduce((sum, run) => sum + run.size, 0);
  return size < watchedRange(place).size ? undefined : runsTrigger(place, runs, type);
}

function runsTrigger(
  place: MemoryPlace | VmcbPlace,
  runs: readonly PhysicalRun[],
  type: AccessType,
): Trigger {
  return {
    arm: (debuggee, reach, hits) => {
      const release = watchPages(debuggee.machine, runs, type);
      const join = new AccessJoin(debuggee, place, reach, hits);
      return all([release, observePhysical(debuggee, place, type, () => runs, join)]);
    },
  };
}

/** Where the bytes of a place are under the present tables, and the entries on the way. */
function bytesBehind({ spaces }: Debuggee, place: MemoryPlace) {
  const watched = BigInt(watchedBytes(place.size, place.bits));
  const runs: PhysicalRun[] = [];
  const entries: { readonly address: number; readonly bytes: number }[] = [];
  for (let at = place.address; at < place.address + watched; at = (at & PAGE_MASK) + PAGE) {
    const inPage = Number((at & PAGE_MASK) + PAGE - at);
    const size = Math.min(inPage, Number(place.address + watched - at));
    const found = spaces.translate({ space: place.space, address: at });
    entries.push(...found.levels.map(({ address, bytes }) => ({ address, bytes })));
    if (found.kind !== "page") continue;
    runs.push({ address: found.physical, size, offset: Number(at - place.address) });
  }
  return { runs, entries };
}

/** The watched bytes in the addresses of their own space. */
function watchedRange(place: MemoryPlace | VmcbPlace): { address: bigint; size: number } {
  if (place.kind === "memory") {
    return { address: place.address, size: watchedBytes(place.size, place.bits) };
  }
  const { offset } = VMCB_FIELDS[place.field];
  const address = place.vmcb + offset + (place.part === undefined ? 0 : PART_OFFSETS[place.part]);
  const size = place.part === undefined ? vmcbFieldBytes(place.field) : placeSize(place);
  return { address: BigInt(address), size };
}

function observePhysical(
  debuggee: Debuggee,
  place: MemoryPlace | VmcbPlace,
  type: AccessType,
  runs: () => readonly PhysicalRun[],
  join: AccessJoin,
): () => void {
  const { memory } = debuggee.machine;
  const { address: first, size: watched } = watchedRange(place);
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (const run of runs()) {
      const start = Math.max(offset, run.offset);
      const end = Math.min(offset + length, run.offset + run.size);
      if (start >= end) continue;
      bytes.set(memory.peek(run.address + start - run.offset, end - start), start - offset);
    }
    return bytes;
  };
  const touched = (event: { address: number; size: number; write: boolean; before: bigint }) => {
    const { address, size, write } = event;
    const run = runs().find(
      (each) => address < each.address + each.size && each.address < address + size,
    );
    if (run === undefined) return undefined;
    const offset = run.offset + address - run.address;
    const values = valuesOf({ ...event, offset }, watched, place.bits, read);
    const inVmcb = place.kind === "vmcb" || debuggee.spaces.vmcb?.address === pageOf(address);
    return (
      values && join.accessed({ ...values, write, size, inVmcb, address: first + BigInt(offset) })
    );
  };
  return debuggee.machine.observe({
    name: "data breakpoint",
    on: {
      ...(wantsAccess(type, true)
        ? { physicalWrite: (event) => touched({ ...event, write: true }) }
        : {}),
      ...(wantsAccess(type, false)
        ? { physicalRead: (event) => touched({ ...event, write: false, before: 0n }) }
        : {}),
    },
  });
}

const pageOf = (address: number): number => address - (address % PAGE_SIZE);

/** Where a page was when a place of this name was watched first. */
interface ArmedPage {
  readonly physical: number;
  /** A kernel's, which its other address spaces share. */
  readonly isSupervisors: boolean;
}

type ArmedPages = Map<bigint, ArmedPage>;

/** By the place's name: the client sets all breakpoints again where one changes. */
const ARMED = new WeakMap<Debuggee, Map<string, ArmedPages>>();

function armedPages(debuggee: Debuggee, { space, address, size }: MemoryPlace): ArmedPages {
  const all = ARMED.get(debuggee) ?? new Map<string, ArmedPages>();
  ARMED.set(debuggee, all);
  const name = `${formatReference({ space, address })},${size}`;
  const pages: ArmedPages = all.get(name) ?? new Map();
  all.set(name, pages);
  return pages;
}

/**
 * Linear bytes of a world. An access by the same linear address hits where it means the same: in
 * the same guest, with the same CR3 or through tables that map the page to the same memory.
 */
export function linearTrigger(place: MemoryPlace, type: AccessType): Trigger {
  const { address: first, space } = place;
  const watched = watchedBytes(place.size, place.bits);
  return {
    arm: (debuggee, reach, hits) => {
      const { machine } = debuggee;
      const join = new AccessJoin(debuggee, place, reach, hits);
      const releases: (() => void)[] = [];
      const armed = armedPages(debuggee, place);
      for (let page = first & PAGE_MASK; page < first + BigInt(watched); page += PAGE) {
        releases.push(machine.cpu.mmu.watchLinear(page));
        const now = debuggee.spaces.translate({ space, address: page });
        if (now.kind !== "page" || armed.has(page)) continue;
        armed.set(page, { physical: now.physical, isSupervisors: !now.rights.user });
      }
      const detach = machine.observe({
        name: "data breakpoint",
        on: {
          linearAccess: (event) => {
            const { linear, size, write } = event;
            if (event.guest !== (space.kind === "gva") || !wantsAccess(type, write))
              return undefined;
            const distance = linear - first;
            if (distance >= BigInt(watched) || -distance >= BigInt(size)) return undefined;
            if (!meansTheSame(debuggee, space, event, armed)) return undefined;
            const access = { ...event, offset: Number(distance) };
            const values = valuesOf(access, watched, place.bits, (offset, length) =>
              debuggee.spaces.read(
                { space: debuggee.spaces.here(), address: first + BigInt(offset) },
                length,
              ),
            );
            return values && join.accessed({ ...values, write, size, address: linear });
          },
        },
      });
      return all([...releases, detach]);
    },
  };
}

/**
 * `armed` serves where the tables of the named CR3 are gone since: unmapped, or overwritten, which
 * cannot be told from another mapping, so that only a kernel's pages are known by it then.
 */
function meansTheSame(
  { machine, spaces }: Debuggee,
  space: SpaceName,
  { linear, physical }: { readonly linear: bigint; readonly physical: number },
  armed: ArmedPages,
): boolean {
  if (space.kind === "gva" && space.guest !== undefined && space.guest !== spaces.guest) {
    return false;
  }
  const { root } = space;
  if (root === undefined || root >> 12n === machine.state.cr3 >> 12n) return true;
  const named = spaces.translate({ space, address: linear });
  if (named.kind === "page" && named.physical === physical) return true;
  const was = armed.get(linear & PAGE_MASK);
  if (was === undefined || (named.kind === "page" && !was.isSupervisors)) return false;
  return was.physical === physical - Number(linear & (PAGE - 1n));
}

/**
 * Guest-physical bytes: the memory behind them, which is looked for again when an entry of the
 * nested tables on the way changes, or the guest is run with other tables.
 */
export function guestPhysicalTrigger(place: MemoryPlace, type: AccessType): Trigger {
  return {
    arm: (debuggee, reach, hits) =>
      new GuestPhysicalWatch(debuggee, place, type, reach, hits).arm(),
  };
}

class GuestPhysicalWatch {
  private readonly debuggee: Debuggee;
  private readonly place: MemoryPlace;
  private readonly type: AccessType;
  private readonly join: AccessJoin;
  private runs: readonly PhysicalRun[] = [];
  private entries: readonly { readonly address: number; readonly bytes: number }[] = [];
  private nestedCr3: bigint | undefined;
  private release: () => void = () => {};

  constructor(debuggee: Debuggee, place: MemoryPlace, type: AccessType, reach: Reach, hits: Hits) {
    this.debuggee = debuggee;
    this.place = place;
    this.type = type;
    this.join = new AccessJoin(debuggee, place, reach, hits);
  }

  arm(): () => void {
    const { debuggee, place, type } = this;
    this.resolve();
    const accesses = observePhysical(debuggee, place, type, () => this.runs, this.join);
    const tables = debuggee.machine.observe({
      name: "nested tables of a data breakpoint",
      on: {
        physicalWrite: ({ address, size }) => this.written(address, size),
        poke: ({ address, size }) => this.written(address, size),
        vmrun: () => {
          const { nestedCr3 } = debuggee.machine.state;
          const isMine = debuggee.spaces.guest === place.space.guest;
          if (isMine && nestedCr3 !== this.nestedCr3) this.resolve();
          return undefined;
        },
      },
    });
    return () => all([accesses, tables, this.release])();
  }

  private written(address: number, size: number): undefined {
    const isEntry = this.entries.some(
      (entry) => address < entry.address + entry.bytes && entry.address < address + size,
    );
    if (isEntry) this.resolve();
    return undefined;
  }

  private resolve(): void {
    this.release();
    const { debuggee, place } = this;
    const { machine } = debuggee;
    this.nestedCr3 = machine.state.nestedCr3;
    const { runs, entries } = bytesBehind(debuggee, place);
    this.runs = runs;
    this.entries = entries;
    const tables = entries.map(({ address }) => machine.memory.watchWrites(address));
    this.release = all([watchPages(machine, runs, this.type), ...tables]);
  }
}
