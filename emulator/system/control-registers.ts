/** Writes to CR0, CR3, CR4, CR8 and EFER: reserved bits, mode changes, TLB flushes (APM volume 2, sections 3.1, 5.3 and 14.6). */

import type { ObserverEvents } from "../observers.ts";
import type { Vcpu } from "../vcpu.ts";
import { Attribute } from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { FEATURES } from "./features.ts";
import {
  CR0,
  CR4,
  currentAsid,
  EFER,
  is64Bit,
  isLongActive,
  PHYSICAL_ADDRESS_BITS,
  VM_CR,
} from "./mode.ts";

/** Bits of CR0 that exist; the others below bit 32 read as zero and are ignored. */
const CR0_WRITABLE =
  CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;

/** Bits of CR4 that this CPU's features give a meaning. */
export const CR4_WRITABLE =
  (FEATURES.VME ? CR4.VME | CR4.PVI : 0n) |
  (FEATURES.TSC ? CR4.TSD : 0n) |
  (FEATURES.DE ? CR4.DE : 0n) |
  (FEATURES.PSE ? CR4.PSE : 0n) |
  (FEATURES.PAE ? CR4.PAE : 0n) |
  (FEATURES.MCE ? CR4.MCE : 0n) |
  (FEATURES.PGE ? CR4.PGE : 0n) |
  CR4.PCE |
  (FEATURES.FXSR ? CR4.OSFXSR : 0n) |
  (FEATURES.SSE ? CR4.OSXMMEXCPT : 0n);

export const EFER_WRITABLE =
  (FEATURES.SYSCALL ? EFER.SCE : 0n) |
  (FEATURES.LM ? EFER.LME | EFER.LMA : 0n) |
  (FEATURES.NX ? EFER.NXE : 0n) |
  (FEATURES.SVM ? EFER.SVME : 0n);

/** Physical-address bits that an entry or CR3 must have clear. */
const ABOVE_PHYSICAL = BigInt.asUintN(64, -1n << BigInt(PHYSICAL_ADDRESS_BITS));
/** A present PDPTE of legacy PAE: bits 2:1, 8:5 and all above the physical address are reserved. */
const PDPTE_RESERVED = ABOVE_PHYSICAL | 0x1e6n;

const generalProtection = (): GuestFault => new GuestFault("GP", 0);

function flushWorld(cpu: Vcpu): void {
  cpu.mmu.flushAsid(currentAsid(cpu.state), false);
}

/**
 * Loads the four PDPTEs of legacy PAE paging at `cr3`; a reserved bit in a present one is #GP(0).
 * With nested paging they are read at each walk instead (section 15.25.5, unverified).
 */
function loadPdptes(cpu: Vcpu, cr3: bigint): void {
  const { state } = cpu;
  if (state.guestMode !== 0 && state.nestedPaging !== 0) return;
  const base = Number(cr3 & 0xffff_ffe0n);
  const entries = [0, 8, 16, 24].map((at) => cpu.physical.readEntry(base + at, 8));
  if (entries.some((e) => (e & 1n) !== 0n && (e & PDPTE_RESERVED) !== 0n))
    throw generalProtection();
  state.pdpte0 = entries[0] ?? 0n;
  state.pdpte1 = entries[1] ?? 0n;
  state.pdpte2 = entries[2] ?? 0n;
  state.pdpte3 = entries[3] ?? 0n;
}

/** The checks and effects of CR0.PG going from 0 to 1; gives the new EFER. */
function startPaging(cpu: Vcpu): bigint {
  const { state } = cpu;
  const pae = (state.cr4 & CR4.PAE) !== 0n;
  if ((state.efer & EFER.LME) === 0n) {
    if (pae) loadPdptes(cpu, state.cr3);
    return state.efer;
  }
  const longCode = (state.cs.attributes & Attribute.long) !== 0;
  if (!pae || longCode) throw generalProtection();
  return state.efer | EFER.LMA;
}

type PagingRegister = ObserverEvents["paging"]["register"];

function tellIfChanged({ state, observers }: Vcpu, register: PagingRegister, before: bigint): void {
  if (!observers.wants("paging") || state[register] === before) return;
  observers.emit("paging", { register, guest: state.guestMode !== 0 });
}

export function writeCr0(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  const set = (bit: bigint): boolean => (value & bit) !== 0n;
  if (value >> 32n !== 0n) throw generalProtection();
  if (set(CR0.PG) && !set(CR0.PE)) throw generalProtection();
  if (set(CR0.NW) && !set(CR0.CD)) throw generalProtection();
  const before = state.cr0;
  const pagingBefore = (before & CR0.PG) !== 0n;
  let { efer } = state;
  if (set(CR0.PG) && !pagingBefore) efer = startPaging(cpu);
  if (!set(CR0.PG) && pagingBefore) {
    if (is64Bit(state)) throw generalProtection();
    efer &= ~EFER.LMA;
  }
  state.efer = efer;
  state.cr0 = (value & CR0_WRITABLE) | CR0.ET;
  if (set(CR0.PG) !== pagingBefore) flushWorld(cpu);
  cpu.deriveMode();
  tellIfChanged(cpu, "cr0", before);
}

export function writeCr3(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  if (isLongActive(state)) {
    if ((value & ABOVE_PHYSICAL) !== 0n) throw generalProtection();
  } else if ((state.cr0 & CR0.PG) !== 0n && (state.cr4 & CR4.PAE) !== 0n) {
    loadPdptes(cpu, value);
  }
  const before = state.cr3;
  state.cr3 = value;
  cpu.mmu.flushNonGlobal();
  cpu.deriveMode();
  tellIfChanged(cpu, "cr3", before);
}

export function writeCr4(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  if ((value & ~CR4_WRITABLE) !== 0n) throw generalProtection();
  const before = state.cr4;
  const changed = before ^ value;
  const pae = (value & CR4.PAE) !== 0n;
  if (!pae && isLongActive(state)) throw generalProtection();
  const paging = (state.cr0 & CR0.PG) !== 0n;
  const layout = CR4.PAE | CR4.PSE | CR4.PGE;
  if (paging && pae && !isLongActive(state) && (changed & layout) !== 0n)
    loadPdptes(cpu, state.cr3);
  state.cr4 = value;
  if ((changed & layout) !== 0n) flushWorld(cpu);
  cpu.deriveMode();
  tellIfChanged(cpu, "cr4", before);
}

/** Task priority: the VMCB's V_TPR where V_INTR_MASKING is on, else the local APIC's. */
export function readCr8(cpu: Vcpu): bigint {
  const { state } = cpu;
  const virtual = state.guestMode !== 0 && state.virtualIntrMasking !== 0;
  return BigInt(virtual ? state.virtualTpr : cpu.interrupts.getTaskPriority());
}

export function writeCr8(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  if (value >> 4n !== 0n) throw generalProtection();
  if (state.guestMode !== 0) state.virtualTpr = Number(value);
  if (state.guestMode === 0 || state.virtualIntrMasking === 0) {
    cpu.interrupts.setTaskPriority(Number(value));
  }
  cpu.recheckInterrupts();
}

export function writeEfer(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  if ((value & ~EFER_WRITABLE) !== 0n) throw generalProtection();
  const before = state.efer;
  const changed = before ^ value;
  if ((changed & EFER.LME) !== 0n && (state.cr0 & CR0.PG) !== 0n) throw generalProtection();
  if ((value & EFER.SVME) !== 0n && (state.vmCr & VM_CR.SVMDIS) !== 0n) throw generalProtection();
  // LMA is read-only: what is written to it does not matter.
  state.efer = (value & ~EFER.LMA) | (state.efer & EFER.LMA);
  cpu.deriveMode();
  tellIfChanged(cpu, "efer", before);
}
