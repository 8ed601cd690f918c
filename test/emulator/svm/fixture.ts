/** A vCPU on 1 MiB of identity-mapped RAM, enough to run SVM's own code on. */

import type { Execution } from "../../../emulator/execution.ts";
import { Observers } from "../../../emulator/observers.ts";
import { GENERAL_REGISTERS } from "../../../emulator/state/cpu-fields.ts";
import { createCpuState } from "../../../emulator/state/cpu-state.ts";
import { setRflags } from "../../../emulator/state/flags.ts";
import { CPU_BASE, RAM_BASE } from "../../../emulator/state/memory-map.ts";
import { svmHooks } from "../../../emulator/svm/exception-intercept.ts";
import { VmcbView } from "../../../emulator/svm/vmcb-view.ts";
import { GuestFault } from "../../../emulator/system/exceptions.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import type { Mmu, PhysicalMemory, StopCause, Vcpu } from "../../../emulator/vcpu.ts";

const RAM_BYTES = 0x10_0000;
export const HSAVE = 0x8000;
export const VMCB = 0x9000;
export const IOPM = 0xa000;
export const MSRPM = 0xd000;
/** Guest-physical page of the guest's code; the guest runs in real mode unless a test changes it. */
export const GUEST_CODE = 0x2_0000;

function physicalMemory(memory: WebAssembly.Memory): PhysicalMemory {
  const view = new DataView(memory.buffer, RAM_BASE, RAM_BYTES);
  const inside = (at: number, size: number): boolean => at >= 0 && at + size <= RAM_BYTES;
  const read = (at: number, size: number): bigint => {
    if (!inside(at, size)) return (1n << BigInt(8 * size)) - 1n;
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
    return value;
  };
  const write = (at: number, size: number, value: bigint): void => {
    if (!inside(at, size)) return;
    for (let i = 0; i < size; i++) view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
  };
  return {
    memory,
    ramBytes: RAM_BYTES,
    canonical: (at: number): number => at,
    pointer: (at) => (inside(at, 1) ? RAM_BASE + at : -1),
    read,
    write,
    readEntry: read,
    fetch: (at, count) => Uint8Array.from({ length: count }, (_, i) => Number(read(at + i, 1))),
    peek: (at, length) => {
      const end = Math.min(RAM_BYTES, at + length);
      return Uint8Array.from({ length: Math.max(0, end - at) }, (_, i) => view.getUint8(at + i));
    },
    poke: (at, bytes) => {
      bytes.forEach((b, i) => {
        write(at + i, 1, BigInt(b));
      });
      return bytes.length;
    },
    reasons: () => 0,
    addReason: () => {},
    removeReason: () => {},
    attachMmio: () => {},
  };
}

export interface Rig {
  readonly cpu: Vcpu;
  readonly vmcb: VmcbView;
  /** Mmu flushes in the order of their calls. */
  readonly flushes: string[];
  readonly stops: StopCause[];
  readonly interrupt: { pending: boolean; vector: number; acknowledged: number };
  /** Makes the next linear access throw this. */
  fault: { access: "read" | "write" | "fetch"; error: unknown } | undefined;
}

function identityMmu(rig: { fault?: Rig["fault"] }, physical: PhysicalMemory, flushes: string[]) {
  const meet = (access: "read" | "write" | "fetch"): void => {
    if (rig.fault?.access === access) throw rig.fault.error;
  };
  const mmu: Mmu = {
    read: (linear, size) => {
      meet("read");
      return physical.read(Number(linear), size);
    },
    write: (linear, size, value) => {
      meet("write");
      physical.write(Number(linear), size, value);
    },
    readForWrite: (linear, size) => {
      meet("write");
      return physical.read(Number(linear), size);
    },
    probeWrite: () => meet("write"),
    translateFetch: (linear) => {
      meet("fetch");
      return Number(linear);
    },
    readSlow: () => 0,
    writeSlow: () => 0,
    modifySlow: () => 0,
    commitWrite: () => {},
    flushNonGlobal: () => flushes.push("nonGlobal"),
    flushAll: () => flushes.push("all"),
    flushAsid: (asid, keep) => flushes.push(`asid ${asid}${keep ? " keep global" : ""}`),
    flushPage: (linear, asid) => flushes.push(`page 0x${linear.toString(16)} asid ${asid}`),
    dropFastTags: () => {},
    selectBank: () => {},
  };
  return mmu;
}

/** A host in long mode at CPL 0 with SVM on, and a VMCB that passes every check. */
export function makeRig(): Rig {
  const pages = Math.ceil((RAM_BASE + RAM_BYTES) / 0x1_0000);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const state = createCpuState(memory, CPU_BASE);
  const physical = physicalMemory(memory);
  const flushes: string[] = [];
  const stops: StopCause[] = [];
  const interrupt = { pending: false, vector: 0x30, acknowledged: 0 };
  const rig: { fault?: Rig["fault"] } = {};
  const cpu: Vcpu = {
    index: 0,
    state,
    physical,
    mmu: identityMmu(rig, physical, flushes),
    ports: { read: () => 0, write: () => {}, attach: () => {} },
    interrupts: {
      pending: () => interrupt.pending,
      acknowledge: () => {
        interrupt.acknowledged++;
        interrupt.pending = false;
        return interrupt.vector;
      },
      getTaskPriority: () => 0,
      setTaskPriority: () => {},
    },
    clock: { icount: 0, ticks: 0 },
    observers: new Observers(),
    hooks: svmHooks(state),
    apic: {
      getApicBase: () => 0n,
      setApicBase: () => true,
      readMsr: () => undefined,
      writeMsr: () => false,
    },
    deriveMode: () => {},
    requestStop: (cause) => stops.push(cause),
    recheckInterrupts: () => {},
  };
  setHost(cpu);
  const vmcb = new VmcbView(physical, VMCB);
  setLegalVmcb(vmcb);
  return Object.assign(rig, { cpu, vmcb, flushes, stops, interrupt }) as Rig;
}

function setHost(cpu: Vcpu): void {
  const { state } = cpu;
  state.cr0 = CR0.PE | CR0.PG | CR0.ET | CR0.NE | CR0.WP;
  state.cr3 = 0x1000n;
  state.cr4 = CR4.PAE | CR4.OSFXSR;
  state.efer = EFER.LME | EFER.LMA | EFER.SVME | EFER.NXE;
  setRflags(state, 0x246n);
  Object.assign(state.cs, { selector: 8, attributes: 0xa9b, limit: 0xffff_ffff, base: 0n });
  for (const name of ["ss", "ds", "es"] as const) {
    Object.assign(state[name], { selector: 16, attributes: 0xc93, limit: 0xffff_ffff, base: 0n });
  }
  Object.assign(state.gdtr, { limit: 0x37, base: 0x5000n });
  Object.assign(state.idtr, { limit: 0xfff, base: 0xffff_8000_0000_6000n });
  state.rip = 0x4000n;
  state.rsp = 0x7ff0n;
  state.rax = BigInt(VMCB);
  state.pat = 0x0007_0406_0007_0406n;
  state.dr6 = 0xffff_0ff0n;
  state.dr7 = 0x400n;
  state.gif = 1;
  state.vmHsavePa = BigInt(HSAVE);
}

/** A real-mode guest at GUEST_CODE, without nested paging; nothing but VMRUN is intercepted. */
export function setLegalVmcb(vmcb: VmcbView): void {
  vmcb.write("INTERCEPT_MISC2", 1);
  vmcb.write("GUEST_ASID", 1);
  vmcb.write("IOPM_BASE_PA", BigInt(IOPM));
  vmcb.write("MSRPM_BASE_PA", BigInt(MSRPM));
  vmcb.write("EFER", EFER.SVME);
  vmcb.write("CR0", CR0.ET);
  vmcb.write("DR6", 0xffff_0ff0n);
  vmcb.write("DR7", 0x400n);
  vmcb.write("RFLAGS", 0x202n);
  const real = { attributes: 0x93, limit: 0xffff };
  const base = BigInt(GUEST_CODE);
  vmcb.write("CS", { ...real, attributes: 0x9b, selector: GUEST_CODE >> 4, base });
  for (const name of ["SS", "DS", "ES"] as const) {
    vmcb.write(name, { ...real, selector: 0x3000, base: 0x3_0000n });
  }
  vmcb.write("IDTR", { selector: 0, attributes: 0, limit: 0x3ff, base: 0n });
  vmcb.write("RIP", 0x10n);
  vmcb.write("RSP", 0x1000n);
  vmcb.write("RAX", 0x1234n);
  vmcb.write("G_PAT", 0x0007_0406_0007_0406n);
}

/** What complex semantics see of an instruction of `length` bytes at the CPU's rip. */
export function execution(cpu: Vcpu, length = 3): Execution {
  const { state } = cpu;
  const parts: Partial<Execution> = {
    cpu,
    rip: state.rip,
    length,
    addressSize: 8,
    operandSize: 4,
    long: false,
    nextRip: () => state.rip + BigInt(length),
    getRegister: (name, size) => BigInt.asUintN(8 * size, state[name]),
    setRegister: (name, _size, value) => {
      state[name] = value;
    },
    setNextRip: (rip) => {
      state.nextRip = rip;
    },
    fault: (exception, errorCode) => {
      throw new GuestFault(exception, errorCode);
    },
  };
  return parts as Execution;
}

/** Every machine-state register by name, for comparisons. */
export function registersOf(cpu: Vcpu): Record<string, bigint | number> {
  const { state } = cpu;
  const all: Record<string, bigint | number> = {};
  for (const name of GENERAL_REGISTERS) all[name] = state[name];
  for (const name of ["rip", "cr0", "cr3", "cr4", "efer", "pat", "cpl", "tscOffset"] as const) {
    all[name] = state[name];
  }
  for (const name of ["es", "cs", "ss", "ds", "gdtr", "idtr"] as const) {
    const { selector, attributes, limit, base } = state[name];
    Object.assign(all, {
      [`${name}.selector`]: selector,
      [`${name}.attributes`]: attributes,
      [`${name}.limit`]: limit,
      [`${name}.base`]: base,
    });
  }
  return all;
}
