/** What invariants look at: the machine at one event, never changed by being looked at. */
import type { Guests, Machine, PagingContext, VmcbView } from "../../emulator/index.ts";
import type { AddressRange } from "../address-range.ts";
import type { Changes } from "../changes.ts";
import type { Readings } from "../evaluate/readings.ts";
import type { Result, Unknown } from "../evaluate/value.ts";
import type { HypervisorMemory } from "../hypervisor-memory.ts";
import type { EventName } from "../language/syntax.ts";
import type { LinearPages } from "../linear-pages.ts";
import type { TlbHistory } from "../tlb-history.ts";
import type { VmrunContext } from "../vmrun-context.ts";
import type { WatchedRanges } from "../watched-ranges.ts";
import type { PageTableWalks } from "./page-tables.ts";

/** What a write changed, at the events that are writes. */
export interface WriteFacts {
  readonly address: number;
  readonly bytes: number;
  /** Undefined for an MSR that can only be written. */
  readonly before: bigint | undefined;
  readonly after: bigint;
  /** For msr_write. */
  readonly msr: number | undefined;
  readonly byGuest: boolean;
}

/** An exception that the host is about to take. */
export interface RaisedFacts {
  readonly vector: number;
  readonly errorCode: number | undefined;
  readonly address: bigint;
}

/** What an event is about, beside the machine as it is. */
export interface EventFacts {
  readonly write?: WriteFacts;
  readonly raised?: RaisedFacts;
}

/** The last #VMEXIT. */
export interface ExitFacts {
  readonly number: number;
  readonly code: bigint;
  readonly info1: bigint;
  readonly info2: bigint;
  readonly guestRip: bigint;
  readonly vmcb: number;
}

/** The program's objects as the host sees them. */
export interface ProgramView {
  /** Loaded sections that are not writable. */
  readonly text: readonly AddressRange[];
  global(name: string, view: View): Result;
  /** Of the function at whose call or return the view is. */
  parameter(name: string, view: View): Result;
  result(view: View): Result;
}

export interface View {
  readonly machine: Machine;
  readonly event: EventName;
  /** The host and the VMCB in use; unknown before the first VMRUN. */
  readonly context: VmrunContext | Unknown;
  /** How the host's linear addresses are translated. */
  readonly paging: PagingContext;
  readonly exit: ExitFacts | undefined;
  readonly write: WriteFacts | undefined;
  readonly raised: RaisedFacts | undefined;
  readonly changes: Pick<Changes, "at">;
  readonly walks: PageTableWalks;
  readonly pages: LinearPages;
  readonly ranges: WatchedRanges;
  readonly readings: Readings;
  readonly tlb: TlbHistory;
  readonly program: ProgramView | undefined;
  /** hv.memory, judged when it is first asked for. */
  hypervisor(): HypervisorMemory;
  vmcbAt(address: number): VmcbView;
  readonly guests: Guests;
}
