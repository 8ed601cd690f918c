/** The seams between the parts of one virtual CPU: what instructions, the MMU and SVM may ask of each other. */

import type { Device } from "./devices/device.ts";
import type { Observers } from "./observers.ts";
import type { CpuState } from "./state/cpu-state.ts";
import type { DeliveryHooks, LocalApicRegisters } from "./system/hooks.ts";

/** Host-physical addresses are numbers: they stay below 2^52. */
export type PhysicalAddress = number;

/** Physical address space: RAM at linear memory RAM_BASE, devices, and holes that read all ones. */
export interface PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  readonly ramBytes: number;
  /** Linear-memory address of the byte if it is RAM (or ROM), else -1. */
  pointer(address: PhysicalAddress): number;
  /** The RAM address for which an alias stands; any other address as it is. */
  canonical(address: PhysicalAddress): PhysicalAddress;
  /** Reads 1, 2, 4 or 8 bytes; may reach a device and so have side effects. */
  read(address: PhysicalAddress, size: number): bigint;
  /** Bytes of one page as an instruction fetch reads them: of no interest to watchers. */
  fetch(address: PhysicalAddress, count: number): Uint8Array;
  /** Writes; drops decoded code of the page, tells write watchers, and them whether VMRUN or #VMEXIT stores. */
  write(address: PhysicalAddress, size: number, value: bigint, worldSwitch?: boolean): void;
  /** RAM only, for table walks: 64- and 32-bit entries as [low, high]; all ones outside RAM. */
  readEntry(address: PhysicalAddress, bytes: 4 | 8): bigint;
  /** Copies out without side effects; undefined bytes (devices, holes) end the copy early. */
  peek(address: PhysicalAddress, length: number): Uint8Array;
  /** Debugger write to RAM: drops decoded code, tells nobody. Returns bytes written. */
  poke(address: PhysicalAddress, bytes: Uint8Array): number;
  /** Why a RAM page is withheld from the fast path (PageReason bits). */
  reasons(address: PhysicalAddress): number;
  addReason(address: PhysicalAddress, reason: number): void;
  removeReason(address: PhysicalAddress, reason: number): void;
  attachMmio(device: Device, first: PhysicalAddress, bytes: number): void;
}

/** What an access is for, when its privilege is not just that of CPL. */
export type AccessPrivilege = "cpl" | "system";

/** Linear-address memory of the CPU: translation, protection, and the architectural TLB. */
export interface Mmu {
  /** Reads up to 8 bytes at a linear address; throws GuestFault or InterceptExit. */
  read(linear: bigint, size: number, privilege?: AccessPrivilege): bigint;
  write(linear: bigint, size: number, value: bigint, privilege?: AccessPrivilege): void;
  /** The read of a read-modify-write: faults as its write would, and is no event of its own. */
  readForWrite(linear: bigint, size: number): bigint;
  /** Faults now if a later write of these bytes would. */
  probeWrite(linear: bigint, size: number, privilege?: AccessPrivilege): void;
  /** Host-physical address of an instruction byte at CPL; fills the instruction TLB. */
  translateFetch(linear: bigint): PhysicalAddress;
  /**
   * Slow paths of generated code. Each returns a linear-memory address where the bytes are, or the
   * bounce buffer; the GuestFault it may throw is caught by the caller's import wrapper. After a
   * write to the bounce buffer, commitWrite() carries it out.
   */
  readSlow(linear: bigint, size: number): number;
  writeSlow(linear: bigint, size: number): number;
  /** As writeSlow, with the present bytes in the buffer. */
  modifySlow(linear: bigint, size: number): number;
  commitWrite(): void;
  /** MOV CR3: everything but global entries of the current ASID. */
  flushNonGlobal(): void;
  /** Everything, of every ASID. */
  flushAll(): void;
  flushAsid(asid: number, keepGlobal: boolean): void;
  /** INVLPG and INVLPGA. */
  flushPage(linear: bigint, asid: number): void;
  /** Forgets the fast tags only (they are refilled from the architectural entries). */
  dropFastTags(): void;
  /** Selects the bank for the current world and CPL. */
  selectBank(): void;
}

/** I/O port space. */
export interface PortSpace {
  read(port: number, size: 1 | 2 | 4): number;
  write(port: number, size: 1 | 2 | 4, value: number): void;
  attach(device: Device, first: number, count: number): void;
}

/** The interrupt controller as the CPU sees it. */
export interface InterruptSource {
  /** An INTR is asserted (PIC through LINT0, or local APIC above its priority). */
  pending(): boolean;
  /** Vector of the interrupt, acknowledged. */
  acknowledge(): number;
  /** Task priority (CR8) lives in the local APIC. */
  getTaskPriority(): number;
  setTaskPriority(priority: number): void;
}

/** Virtual time. One tick is a nanosecond; a retired instruction takes one. */
export interface Clock {
  /** Instructions retired since reset. */
  readonly icount: number;
  /** icount plus the ticks that passed in HLT. */
  readonly ticks: number;
}

/** What the CPU tells the machine when it cannot go on by itself. */
export type StopCause =
  | { readonly kind: "shutdown"; readonly faults: readonly string[] }
  | { readonly kind: "notImplemented"; readonly what: string }
  | { readonly kind: "observer"; readonly observer: string };

export interface Vcpu {
  readonly index: number;
  readonly state: CpuState;
  readonly physical: PhysicalMemory;
  readonly mmu: Mmu;
  readonly ports: PortSpace;
  readonly interrupts: InterruptSource;
  readonly clock: Clock;
  readonly observers: Observers;
  /** SVM's part in the delivery of exceptions and interrupts. */
  readonly hooks: DeliveryHooks;
  /** The local APIC's registers that are reached by MSR. */
  readonly apic: LocalApicRegisters;
  /**
   * Recomputes derived state after CR0, CR4, EFER, CPL, a segment register, a debug register or the
   * world changed: segment limits, stack mask, TLB bank, breakpoints, and forgets the fetch window.
   */
  deriveMode(): void;
  /** Makes generated code return after this instruction and the machine stop with this cause. */
  requestStop(cause: StopCause): void;
  /** Interrupt-related state changed (IF, GIF, TPR, shadow): look again before the next instruction. */
  recheckInterrupts(): void;
}
