/** Makes the views that invariants look at: one for each event, and what all of them share. */
import {
  currentPaging,
  type Guests,
  type Machine,
  type ObserverEvents,
} from "../emulator/index.ts";
import { sameRanges } from "./address-range.ts";
import { Unknown } from "./evaluate/value.ts";
import { derivedMemory, type HypervisorMemory } from "./hypervisor-memory.ts";
import type { EventName } from "./language/syntax.ts";
import { PageTableWalks } from "./model/page-tables.ts";
import type { ExitFacts, View, WriteFacts } from "./model/view.ts";
import type { Program } from "./program.ts";
import { TableCache } from "./table-cache.ts";
import { TlbHistory, type TlbState } from "./tlb-history.ts";
import { contextAtVmrun, contextInGuest, type VmrunContext } from "./vmrun-context.ts";

/** What goes back in time with the machine. */
export interface ViewState {
  readonly vmcb: number | undefined;
  readonly vmrunRip: bigint | undefined;
  readonly exit: ExitFacts | undefined;
  readonly tlb: TlbState;
}

export class EventViews {
  readonly cache: TableCache;
  readonly walks: PageTableWalks;
  readonly tlb = new TlbHistory();
  /** Of the last VMRUN. */
  vmrunRip: bigint | undefined;
  private readonly machine: Machine;
  private readonly program: Program | undefined;
  private readonly guests: Guests;
  private readonly declared: HypervisorMemory | undefined;
  private vmcb: number | undefined;
  private exit: ExitFacts | undefined;
  private memory: HypervisorMemory | undefined;

  constructor(
    machine: Machine,
    guests: Guests,
    program: Program | undefined,
    declared: HypervisorMemory | undefined,
  ) {
    this.machine = machine;
    this.guests = guests;
    this.program = program;
    this.declared = declared;
    this.cache = new TableCache(machine.memory);
    this.walks = new PageTableWalks(this.cache);
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

  view(event: EventName, write?: WriteFacts): View {
    const { machine, walks, tlb, program, guests, exit } = this;
    const context = this.context();
    let memory: HypervisorMemory | undefined;
    return {
      ...{ machine, event, context, exit, write, walks, tlb, program, guests },
      paging: context instanceof Unknown ? currentPaging(machine.state) : context,
      hypervisor: () => {
        memory ??= this.hypervisor(context);
        return memory;
      },
    };
  }

  save(): ViewState {
    const { vmcb, vmrunRip, exit } = this;
    return { vmcb, vmrunRip, exit, tlb: this.tlb.save() };
  }

  restore({ vmcb, vmrunRip, exit, tlb }: ViewState): void {
    this.vmcb = vmcb;
    this.vmrunRip = vmrunRip;
    this.exit = exit;
    this.tlb.restore(tlb);
  }

  private context(): VmrunContext | Unknown {
    const { machine, vmcb } = this;
    if (vmcb === undefined) return new Unknown("no VMRUN has come yet");
    return machine.state.guestMode === 0 ? contextAtVmrun(machine, vmcb) : contextInGuest(machine);
  }

  /** Equal ranges are the same object, so that what was made of them is seen to be unchanged. */
  private hypervisor(context: VmrunContext | Unknown): HypervisorMemory {
    const found = this.declared ?? this.derived(context);
    const before = this.memory;
    const isSame =
      before !== undefined &&
      before.source !== "unknown" &&
      found.source !== "unknown" &&
      sameRanges(before.ranges, found.ranges);
    this.memory = isSame ? { ...found, ranges: before.ranges } : found;
    return this.memory;
  }

  private derived(context: VmrunContext | Unknown): HypervisorMemory {
    if (context instanceof Unknown) return { source: "unknown", reason: context.reason };
    return derivedMemory(this.machine, this.cache, context);
  }
}
