/** The one way to watch the machine: typed events for observers that never change its state. */

import type { Input } from "./inputs.ts";
import type { ExceptionName } from "./system/exceptions.ts";

/** Everything an observer can be told. "before"/"after" is relative to the event's effect. */
export interface ObserverEvents {
  /**
   * Before the instruction runs whose first byte lies at a breakpoint's linear or host-physical
   * address. `physical` is the RAM's address where an alias of the ROM is executed.
   */
  execute: { readonly linear: bigint; readonly physical: number; readonly guest: boolean };
  /**
   * After an access to bytes of a linear page watched with mmu.watchLinear(): by an instruction's
   * operands and its stack, and the CPU's own to descriptors, gates, TSS and handler's frame; not by
   * the fetch. A read-modify-write is one write. An access that crosses a page is told for each
   * part that lies on a watched page; one of more than eight bytes may come in pieces.
   */
  linearAccess: {
    readonly linear: bigint;
    readonly physical: number;
    readonly size: number;
    readonly write: boolean;
    /** Little-endian; equal for a read. Of a device that is written, `before` is 0. */
    readonly before: bigint;
    readonly after: bigint;
    readonly guest: boolean;
  };
  /**
   * After IN, OUT, INS or OUTS reached the port space (not when it was intercepted), before what was
   * read is stored.
   */
  port: {
    readonly port: number;
    readonly size: number;
    readonly write: boolean;
    readonly value: bigint;
    readonly guest: boolean;
  };
  /** After RDMSR or WRMSR completed (not when it was intercepted or faulted). */
  msr: {
    readonly index: number;
    readonly write: boolean;
    readonly value: bigint;
    /** Of the MSR until then; undefined where it cannot be read. */
    readonly before: bigint | undefined;
    readonly guest: boolean;
  };
  /** After an instruction's access to a device's memory, fetches excepted. */
  deviceMemory: {
    readonly device: string;
    readonly address: number;
    readonly size: number;
    readonly write: boolean;
    readonly value: bigint;
    readonly guest: boolean;
  };
  /**
   * After MOV, LMSW or WRMSR gave a register that address translation depends on another value.
   * EFER.LMA follows CR0.PG and is told as CR0. VMRUN and #VMEXIT have events of their own.
   */
  paging: { readonly register: "cr0" | "cr3" | "cr4" | "efer"; readonly guest: boolean };
  /** After an instruction retired (needs the traced interpreter). */
  retire: { readonly rip: bigint };
  /** After a write to a watched physical page. */
  physicalWrite: {
    readonly address: number;
    readonly size: number;
    readonly before: bigint;
    readonly after: bigint;
    /** What VMRUN and #VMEXIT store by themselves, in the VMCB and the host save area. */
    readonly worldSwitch: boolean;
  };
  /** Before the first write to a RAM page, by whomever, since it was last marked clean. */
  firstWrite: { readonly page: number };
  /**
   * After bytes of a page with watched writes changed outside execution: the debugger, a loader, or
   * a snapshot that came back.
   */
  poke: { readonly address: number; readonly size: number };
  /** After a read of a watched physical page. */
  physicalRead: { readonly address: number; readonly size: number };
  /** Before an exception or interrupt is delivered. */
  exception: {
    readonly vector: number;
    readonly name: ExceptionName | undefined;
    readonly errorCode: number | undefined;
    readonly address: bigint;
    readonly external: boolean;
  };
  /** Before VMRUN checks and loads anything: its operand is legal, the state is still the host's. */
  vmrunStart: { readonly vmcb: number; readonly rip: bigint };
  /** After VMRUN loaded the guest, before its first instruction. */
  vmrun: { readonly vmcb: number; readonly rip: bigint };
  /** After VMLOAD loaded its registers and MSRs from the VMCB. */
  vmload: { readonly vmcb: number };
  /** After #VMEXIT: the VMCB is written, the host is loaded, its next instruction has not run. */
  exit: {
    readonly number: number;
    readonly code: bigint;
    readonly info1: bigint;
    readonly info2: bigint;
    readonly vmcb: number;
    /** Guest rip of the exit, and host rip of the VMRUN. */
    readonly guestRip: bigint;
    /** Name of the VMRUN consistency check that failed, for VMEXIT_INVALID. */
    readonly failedCheck: string | undefined;
  };
  /** After something entered the machine from outside (inputs.ts). */
  input: { readonly input: Input };
  /** After a byte left a serial port or the debug console. */
  console: { readonly source: string; readonly byte: number };
  /** After an opcode that the machine does not implement raised #UD. */
  unimplemented: { readonly rip: bigint; readonly bytes: Uint8Array };
  /** Before the shutdown state is entered: chain of faults, oldest first. */
  shutdown: { readonly faults: readonly string[] };
}
export type EventName = keyof ObserverEvents;

/** A handler returns "stop" to stop the machine at this instant; anything else lets it go on. */
export type Handler<E extends EventName> = (event: ObserverEvents[E]) => "stop" | undefined;

export interface Observer {
  readonly name: string;
  readonly on: { readonly [E in EventName]?: Handler<E> };
}

interface Attached {
  readonly name: string;
  readonly handler: Handler<EventName>;
}

const NONE: readonly Attached[] = [];

/** The attached observers, and how parts of the machine tell them. */
export class Observers {
  /** Replaced when one comes or goes: an event that is being told goes on as it began. */
  private readonly lists = new Map<EventName, readonly Attached[]>();
  /** Called with the name of an observer that asked for a stop. */
  onStop: (observer: string) => void = () => {};

  attach(observer: Observer): () => void {
    const added: [EventName, Attached][] = [];
    for (const name of Object.keys(observer.on) as EventName[]) {
      if (observer.on[name] === undefined) continue;
      const one = { name: observer.name, handler: observer.on[name] as Handler<EventName> };
      this.lists.set(name, [...this.listOf(name), one]);
      added.push([name, one]);
    }
    return () => {
      for (const [name, one] of added) {
        this.lists.set(
          name,
          this.listOf(name).filter((each) => each !== one),
        );
      }
    };
  }

  /** Whether anyone listens: lets the caller skip the making of the event. */
  wants(event: EventName): boolean {
    return this.listOf(event).length > 0;
  }

  emit<E extends EventName>(name: E, event: ObserverEvents[E]): void {
    for (const { name: observer, handler } of this.listOf(name)) {
      if ((handler as Handler<E>)(event) === "stop") this.onStop(observer);
    }
  }

  private listOf(event: EventName): readonly Attached[] {
    return this.lists.get(event) ?? NONE;
  }
}
