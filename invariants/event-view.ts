/** Makes the views that invariants look at: one for each event, and what all of them share. */
import {
  currentPaging,
  type Guests,
  type Machine,
  type ObserverEvents,
  type PagingContext,
  VmcbView,
} from "../emulator/index.ts";
import { sameRanges } from "./address-range.ts";
import { Changes } from "./changes.ts";
import { Readings } from "./evaluate/readings.ts";
import { Unknown } from "./evaluate/value.ts";
import { derivedMemory, type HypervisorMemory } from "./hypervisor-memory.ts";
import type { EventName } from "./language/syntax.ts";
import { LinearPages } from "./linear-pages.ts";
import { PageTableWalks } from "./model/page-tables.ts";
import type { EventFacts, ExitFacts, RaisedFacts, View, WriteFacts } from "./model/view.ts";
import type { Program } from "./program.ts";
import { TableCache, type TablePlace } from "./table-cache.ts";
import { TlbHistory, type TlbState } from "./tlb-history.ts";
import { contextAtVmrun, contextInGuest, type VmrunContext } from "./vmrun-context.ts";
import { WatchedRanges } from "./watched-ranges.ts";

/** What goes back in time with the machine. */
export interface ViewState {
  readonly vmcb: number | undefined;
  readonly vmrunRip: bigint | undefined;
  readonly exit: ExitFacts | undefined;
  readonly tlb: TlbState;
  readonly memory: HypervisorMemory | undefined;
  /** Those whose writes are noticed. */
  readonly tables: readonly TablePlace[];
}

/** What the views of one machine have in common. */
interface Shared {
  readonly machine: Machine;
  readonly walks: PageTableWalks;
  readonly pages: LinearPages;
  readonly ranges: WatchedRanges;
  readonly readings: Readings;
  readonly tlb: TlbHistory;
  readonly changes: Changes;
  readonly program: Program | undefined;
  readonly guests: Guests;
}

/** Finds out what it is asked for, once. */
class EventView implements View {
  readonly event: EventName;
  readonly write: WriteFacts | undefined;
  readonly raised: RaisedFacts | undefined;
  readonly exit: ExitFacts | undefined;
  readonly machine: Machine;
  readonly walks: PageTableWalks;
  readonly pages: LinearPages;
  readonly ranges: WatchedRanges;
  readonly readings: Readings;
  readonly tlb: TlbHistory;
  readonly changes: Changes;
  readonly program: Program | undefined;
  readonly guests: Guests;
  private readonly owner: EventViews;
  private knownContext: VmrunContext | Unknown | undefined;
  private knownPaging: PagingContext | undefined;
  private memory: HypervisorMemory | undefined;
  private vmcb: VmcbView | undefined;

  constructor(owner: EventViews, shared: Shared, event: EventName, { write, raised }: EventFacts) {
    this.owner = owner;
    this.event = event;
    this.write = write;
    this.raised = raised;
    this.exit = owner.exit;
    this.machine = shared.machine;
    this.walks = shared.walks;
    this.pages = shared.pages;
    this.ranges = shared.ranges;
    this.readings = shared.readings;
    this.tlb = shared.tlb;
    this.changes = shared.changes;
    this.program = shared.program;
    this.guests = shared.guests;
  }

  get context(): VmrunContext | Unknown {
    this.knownContext ??= this.owner.context();
    return this.knownContext;
  }

  get paging(): PagingContext {
    const { context, machine } = this;
    this.knownPaging ??= context instanceof Unknown ? currentPaging(machine.state) : context;
    return this.knownPaging;
  }

  hypervisor(): HypervisorMemory {
    this.memory ??= this.owner.hypervisor(this);
    return this.memory;
  }

  vmcbAt(address: number): VmcbView {
    if (this.vmcb?.address !== address) this.vmcb = new VmcbView(this.machine.memory, address);
    return this.vmcb;
  }
}

export class EventViews {
  readonly cache: TableCache;
  readonly tlb = new TlbHistory();
  readonly changes: Changes;
  /** Of the last VMRUN. */
  vmrunRip: bigint | undefined;
  /** The last one. */
  exit: ExitFacts | undefined;
  private readonly shared: Shared;
  private readonly declared: HypervisorMemory | undefined;
  private vmcb: number | undefined;
  private memory: HypervisorMemory | undefined;

  constructor(
    machine: Machine,
    guests: Guests,
    program: Program | undefined,
    declared: HypervisorMemory | undefined,
  ) {
    this.declared = declared;
    this.cache = new TableCache(machine.memory);
    this.changes = new Changes(machine.memory);
    this.shared = {
      ...{ machine, program, guests, tlb: this.tlb, changes: this.changes },
      walks: new PageTableWalks(this.cache),
      pages: new LinearPages(machine.memory, this.cache),
      ranges: new WatchedRanges(machine.memory),
      readings: new Readings(),
    };
  }

  get hasRun(): boolean {
    return this.vmcb !== undefined;
  }

  /** What hv.memory was taken from when it was last asked for. */
  get memorySource(): HypervisorMemory["source"] | undefined {
    return this.memory?.source;
  }

  vmrunStarts({ vmcb, rip }: ObserverEvents["vmrunStart"]): void {
    this.vmcb = vmcb;
    this.vmrunRip = rip;
  }

  exited({ number, code, info1, info2, guestRip, vmcb }: ObserverEvents["exit"]): void {
    this.exit = { number, code, info1, info2, guestRip, vmcb };
    this.vmcb = vmcb;
  }

  get watchedPages(): number {
    return this.cache.watchedPages + this.shared.ranges.pages;
  }

  /** How often something that was read had been written since. */
  get staleMarks(): number {
    return this.cache.generation + this.shared.ranges.staleMarks;
  }

  /** To be told of each; true if a table that was read is no longer what it was. */
  written({ address, size, before, after }: ObserverEvents["physicalWrite"]): boolean {
    this.shared.ranges.written(address, size);
    return this.cache.written(address, size, before, after);
  }

  poked({ address, size }: ObserverEvents["poke"]): void {
    this.shared.ranges.written(address, size);
    this.cache.replaced(address);
  }

  /** Watches nothing any more. */
  clear(): void {
    this.shared.ranges.clear();
    this.cache.clear();
  }

  view(event: EventName, facts: EventFacts = {}): View {
    return new EventView(this, this.shared, event, facts);
  }

  /** Others of the same state: of what is looked at through them, writes are not noticed. */
  apart(): EventViews {
    const { machine, guests, program } = this.shared;
    const views = new EventViews(machine, guests, program, this.declared);
    views.restore({ ...this.save(), tables: [] });
    return views;
  }

  save(): ViewState {
    const { vmcb, vmrunRip, exit, memory, cache } = this;
    return { vmcb, vmrunRip, exit, memory, tlb: this.tlb.save(), tables: cache.places };
  }

  restore({ vmcb, vmrunRip, exit, memory, tlb, tables }: ViewState): void {
    this.cache.hold(tables);
    this.memory = memory;
    this.vmcb = vmcb;
    this.vmrunRip = vmrunRip;
    this.exit = exit;
    this.tlb.restore(tlb);
  }

  context(): VmrunContext | Unknown {
    const { shared, vmcb } = this;
    const { machine } = shared;
    if (vmcb === undefined) return new Unknown("no VMRUN has come yet");
    return machine.state.guestMode === 0 ? contextAtVmrun(machine, vmcb) : contextInGuest(machine);
  }

  /** Equal ranges are the same object, so that what was made of them is seen to be unchanged. */
  hypervisor(view: View): HypervisorMemory {
    const found = this.declared ?? this.derived(view);
    const before = this.memory;
    const isSame =
      before !== undefined &&
      before.source !== "unknown" &&
      found.source !== "unknown" &&
      sameRanges(before.ranges, found.ranges);
    this.memory = isSame ? { ...found, ranges: before.ranges } : found;
    return this.memory;
  }

  private derived({ context, pages }: View): HypervisorMemory {
    if (context instanceof Unknown) return { source: "unknown", reason: context.reason };
    return derivedMemory(this.shared.machine, this.cache, pages, context);
  }
}
