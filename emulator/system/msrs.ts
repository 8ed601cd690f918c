/** The table of model-specific registers (APM volume 2, appendix A). */
import type { CpuState } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import { EFER_WRITABLE, writeEfer } from "./control-registers.ts";
import { GuestFault } from "./exceptions.ts";
import { EFER, PHYSICAL_ADDRESS_BITS, VM_CR } from "./mode.ts";
import {
  ALL_BITS,
  baseMsr,
  constantMsr,
  fieldMsr,
  LOW_32,
  type Msr,
  readOnlyMsr,
  type WordField,
  writeEntry,
} from "./msr-entry.ts";
import { readTsc, writeTsc } from "./time-stamp.ts";

const PHYSICAL_MASK = (1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n;
const PAGE_MASK = PHYSICAL_MASK & ~0xfffn;

/** Base, x2APIC enable, APIC enable, and BSP (which software cannot change: writes keep it). */
const APIC_BASE_WRITABLE = PAGE_MASK | (1n << 8n) | (1n << 10n) | (1n << 11n);

const apicBase: Msr = {
  number: 0x1b,
  name: "APIC_BASE",
  reset: undefined,
  writable: APIC_BASE_WRITABLE,
  canonical: false,
  read: ({ apic }) => apic.getApicBase(),
  write: ({ apic }, value) => {
    if (!apic.setApicBase(value)) throw new GuestFault("GP", 0);
  },
};

const tsc: Msr = {
  number: 0x10,
  name: "TSC",
  reset: undefined,
  writable: ALL_BITS,
  canonical: false,
  read: readTsc,
  write: writeTsc,
};

const efer: Msr = {
  number: 0xc000_0080,
  name: "EFER",
  reset: 0n,
  writable: EFER_WRITABLE,
  canonical: false,
  read: ({ state }) => state.efer,
  write: writeEfer,
};

/** Every byte of PAT names a memory type: 2 and 3 are reserved (section 7.8.1). */
function isLegalPat(value: bigint): boolean {
  for (let at = 0n; at < 64n; at += 8n) {
    const type = Number((value >> at) & 0xffn);
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
}

/** LOCK and SVMDIS keep their values once LOCK is set; SVMDIS cannot be set while SVME is. */
const vmCr: Msr = {
  number: 0xc001_0114,
  name: "VM_CR",
  reset: 0n,
  writable: 0x1fn,
  canonical: false,
  read: ({ state }) => state.vmCr,
  write: ({ state }, value) => {
    const frozen = (state.vmCr & VM_CR.LOCK) !== 0n ? VM_CR.LOCK | VM_CR.SVMDIS : 0n;
    const next = (value & ~frozen) | (state.vmCr & frozen);
    const disables = (next & ~state.vmCr & VM_CR.SVMDIS) !== 0n;
    if (disables && (state.efer & EFER.SVME) !== 0n) throw new GuestFault("GP", 0);
    state.vmCr = next;
  },
};

/**
 * SYSENTER's targets are 32 bits wide in this family, and what is written above is dropped: nothing
 * in long mode reads them.
 */
const sysenter = (number: number, name: string, field: WordField): Msr =>
  fieldMsr(number, name, field, { truncate: true });

/** Every MSR outside the x2APIC range 800h to 8FFh. */
export const MSRS: readonly Msr[] = [
  tsc,
  apicBase,
  constantMsr(0x8b, "PATCH_LEVEL", 0x0100_0065n),
  sysenter(0x174, "SYSENTER_CS", "sysenterCs"),
  sysenter(0x175, "SYSENTER_ESP", "sysenterEsp"),
  sysenter(0x176, "SYSENTER_EIP", "sysenterEip"),
  fieldMsr(0x1d9, "DEBUGCTL", "debugCtl", { writable: 0x3fn }),
  readOnlyMsr(0x1db, "LAST_BRANCH_FROM", "lastBranchFrom"),
  readOnlyMsr(0x1dc, "LAST_BRANCH_TO", "lastBranchTo"),
  readOnlyMsr(0x1dd, "LAST_EXCEPTION_FROM", "lastExceptionFrom"),
  readOnlyMsr(0x1de, "LAST_EXCEPTION_TO", "lastExceptionTo"),
  fieldMsr(0x277, "PAT", "pat", { reset: 0x0007_0406_0007_0406n, legal: isLegalPat }),
  efer,
  fieldMsr(0xc000_0081, "STAR", "star"),
  fieldMsr(0xc000_0082, "LSTAR", "lstar", { canonical: true }),
  fieldMsr(0xc000_0083, "CSTAR", "cstar", { canonical: true }),
  fieldMsr(0xc000_0084, "SFMASK", "sfmask", { truncate: true }),
  baseMsr(0xc000_0100, "FS_BASE", "fs"),
  baseMsr(0xc000_0101, "GS_BASE", "gs"),
  fieldMsr(0xc000_0102, "KERNEL_GS_BASE", "kernelGsBase", { canonical: true }),
  fieldMsr(0xc000_0103, "TSC_AUX", "tscAux", { truncate: true }),
  fieldMsr(0xc001_0010, "SYSCFG", "syscfg", { writable: 0x7f_0000n }),
  fieldMsr(0xc001_0015, "HWCR", "hwcr", { writable: LOW_32 }),
  constantMsr(0xc001_001f, "NB_CFG", 0n),
  constantMsr(0xc001_0055, "INT_PENDING", 0n),
  vmCr,
  fieldMsr(0xc001_0117, "VM_HSAVE_PA", "vmHsavePa", { writable: PAGE_MASK }),
];

const BY_NUMBER = new Map(MSRS.map((entry) => [entry.number, entry]));

/** The row of an MSR; undefined where the machine has none of that number. */
export const msrByNumber = (number: number): Msr | undefined => BY_NUMBER.get(number);

/** Accesses to MSRs that do not exist, by "read 0x..." or "write 0x...": statistics, not state. */
const unknownAccesses = new WeakMap<Vcpu, Map<string, number>>();

export function unknownMsrAccesses(cpu: Vcpu): ReadonlyMap<string, number> {
  return unknownAccesses.get(cpu) ?? new Map();
}

function unknownMsr(cpu: Vcpu, number: number, write: boolean): GuestFault {
  const counts = unknownAccesses.get(cpu) ?? new Map<string, number>();
  unknownAccesses.set(cpu, counts);
  const key = `${write ? "write" : "read"} 0x${number.toString(16)}`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return new GuestFault("GP", 0);
}

const isX2Apic = (number: number): boolean => number >= 0x800 && number <= 0x8ff;

/** RDMSR after its intercept: #GP(0) for what does not exist. */
export function readMsr(cpu: Vcpu, number: number): bigint {
  const value = msrValue(cpu, number);
  if (value === undefined) throw unknownMsr(cpu, number, false);
  return value;
}

/** What RDMSR would give; undefined where there is no such MSR. */
export function msrValue(cpu: Vcpu, number: number): bigint | undefined {
  const entry = msrByNumber(number);
  if (entry !== undefined) return entry.read(cpu);
  return isX2Apic(number) ? cpu.apic.readMsr(number) : undefined;
}

/** WRMSR after its intercept. */
export function writeMsr(cpu: Vcpu, number: number, value: bigint): void {
  const entry = msrByNumber(number);
  if (entry !== undefined) {
    writeEntry(cpu, entry, value);
  } else if (!isX2Apic(number) || !cpu.apic.writeMsr(number, value)) {
    throw unknownMsr(cpu, number, true);
  }
}

/** Fields of MSRs as the reset of the CPU leaves them. */
export function resetMsrs(state: CpuState): void {
  const cpu = { state } as Vcpu;
  state.efer = 0n;
  for (const entry of MSRS) {
    if (entry === efer || entry.reset === undefined || entry.write === undefined) continue;
    entry.write(cpu, entry.reset);
  }
}
