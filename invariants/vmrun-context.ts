/** The host as it executes VMRUN, and the VMCB fields that invariants are about. */

import { type CpuState, type Machine, VmcbView } from "../emulator/index.ts";

/** Everything here is a register or is read from the VMCB; none of it is remembered state. */
export interface VmrunContext {
  /** Of the VMRUN instruction. */
  readonly rip: bigint;
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** Linear address of the top of the host's stack. */
  readonly stack: bigint;
  readonly hostSaveArea: number;
  readonly vmcb: number;
  readonly nestedCr3: bigint;
  readonly nestedPaging: boolean;
  readonly asid: number;
  /** Words 3 and 4 of the intercepts. */
  readonly interceptMisc1: number;
  readonly interceptMisc2: number;
  readonly ioMap: number;
  readonly msrMap: number;
}

type HostPart = Pick<VmrunContext, "rip" | "cr0" | "cr3" | "cr4" | "efer" | "stack">;

const PAGE_MASK = 0xf_ffff_ffff_f000n;
const EFER_LMA = 1n << 10n;
/** VMRUN is 0F 01 D8. */
const VMRUN_BYTES = 3n;

function stackAddress(efer: bigint, base: bigint, rsp: bigint): bigint {
  return (efer & EFER_LMA) !== 0n ? rsp : BigInt.asUintN(32, base + rsp);
}

function withVmcb({ memory }: Machine, state: CpuState, vmcb: number, host: HostPart) {
  const view = new VmcbView(memory, vmcb);
  return {
    ...host,
    hostSaveArea: Number(state.vmHsavePa),
    vmcb,
    nestedCr3: view.read("nCR3"),
    nestedPaging: (view.read("NP_ENABLE") & 1n) !== 0n,
    asid: view.read("GUEST_ASID"),
    interceptMisc1: view.read("INTERCEPT_MISC1"),
    interceptMisc2: view.read("INTERCEPT_MISC2"),
    ioMap: Number(view.read("IOPM_BASE_PA") & PAGE_MASK),
    msrMap: Number(view.read("MSRPM_BASE_PA") & PAGE_MASK),
  };
}

/** While the host is about to execute VMRUN. */
export function contextAtVmrun(machine: Machine, vmcb: number): VmrunContext {
  const { state } = machine;
  const { rip, cr0, cr3, cr4, efer } = state;
  const stack = stackAddress(efer, state.ss.base, state.rsp);
  return withVmcb(machine, state, vmcb, { rip, cr0, cr3, cr4, efer, stack });
}

/**
 * While a guest runs: the host is in its save area. The VMCB in memory may differ from what VMRUN
 * loaded; the nested tables in use are those that were loaded.
 */
export function contextInGuest(machine: Machine): VmrunContext {
  const { state, memory } = machine;
  const { hostCr0: cr0, hostCr4: cr4, hostEfer: efer } = state;
  const saved = new VmcbView(memory, Number(state.vmHsavePa));
  const stack = stackAddress(efer, saved.read("SS").base, saved.read("RSP"));
  const rip = saved.read("RIP") - VMRUN_BYTES;
  const host = { rip, cr0, cr3: saved.read("CR3"), cr4, efer, stack };
  return {
    ...withVmcb(machine, state, Number(state.vmcbAddress), host),
    nestedCr3: state.nestedCr3,
    nestedPaging: state.nestedPaging !== 0,
  };
}

export function sameContext(a: VmrunContext, b: VmrunContext): boolean {
  return (
    a.cr0 === b.cr0 &&
    a.cr3 === b.cr3 &&
    a.cr4 === b.cr4 &&
    a.efer === b.efer &&
    a.stack >> 12n === b.stack >> 12n &&
    a.hostSaveArea === b.hostSaveArea &&
    a.vmcb === b.vmcb &&
    a.nestedCr3 === b.nestedCr3 &&
    a.nestedPaging === b.nestedPaging &&
    a.asid === b.asid &&
    a.interceptMisc1 === b.interceptMisc1 &&
    a.interceptMisc2 === b.interceptMisc2 &&
    a.ioMap === b.ioMap &&
    a.msrMap === b.msrMap
  );
}
