/** The host as it executes VMRUN, and the VMCB fields that invariants are about. */

import { type CpuState, EFER, type Machine, VmcbView } from "../emulator/index.ts";

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
  /** Word 3 of the intercepts. */
  readonly interceptMisc1: number;
  readonly ioMap: number;
  readonly msrMap: number;
}

const PAGE_MASK = 0xf_ffff_ffff_f000n;
/** VMRUN is 0F 01 D8. */
const VMRUN_BYTES = 3n;

type HostPart = Pick<
  VmrunContext,
  "rip" | "cr0" | "cr3" | "cr4" | "efer" | "stack" | "hostSaveArea"
>;

/** The host as it is now, and a VMCB that is read when it is asked for: in the same event. */
class Context implements VmrunContext {
  readonly rip: bigint;
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly stack: bigint;
  readonly hostSaveArea: number;
  readonly vmcb: number;
  private readonly machine: Machine;
  private known: VmcbView | undefined;

  constructor(machine: Machine, vmcb: number, host: HostPart) {
    this.machine = machine;
    this.rip = host.rip;
    this.cr0 = host.cr0;
    this.cr3 = host.cr3;
    this.cr4 = host.cr4;
    this.efer = host.efer;
    this.stack = host.stack;
    this.hostSaveArea = host.hostSaveArea;
    this.vmcb = vmcb;
  }

  get nestedCr3(): bigint {
    return this.view.read("nCR3");
  }

  get nestedPaging(): boolean {
    return (this.view.read("NP_ENABLE") & 1n) !== 0n;
  }

  get asid(): number {
    return this.view.read("GUEST_ASID");
  }

  get interceptMisc1(): number {
    return this.view.read("INTERCEPT_MISC1");
  }

  get ioMap(): number {
    return Number(this.view.read("IOPM_BASE_PA") & PAGE_MASK);
  }

  get msrMap(): number {
    return Number(this.view.read("MSRPM_BASE_PA") & PAGE_MASK);
  }

  private get view(): VmcbView {
    this.known ??= new VmcbView(this.machine.memory, this.vmcb);
    return this.known;
  }
}

/** While a guest runs, the nested tables in use are those that VMRUN loaded, whatever the VMCB has now. */
class ContextInGuest extends Context {
  private readonly loaded: CpuState;

  constructor(machine: Machine, host: HostPart) {
    super(machine, Number(machine.state.vmcbAddress), host);
    this.loaded = machine.state;
  }

  override get nestedCr3(): bigint {
    return this.loaded.nestedCr3;
  }

  override get nestedPaging(): boolean {
    return this.loaded.nestedPaging !== 0;
  }
}

/** While the host is about to execute VMRUN. */
export function contextAtVmrun(machine: Machine, vmcb: number): VmrunContext {
  const { state } = machine;
  const { rip, cr0, cr3, cr4, efer, rsp } = state;
  const isLong = (efer & EFER.LMA) !== 0n;
  const stack = isLong ? rsp : BigInt.asUintN(32, state.ss.base + rsp);
  const hostSaveArea = Number(state.vmHsavePa);
  return new Context(machine, vmcb, { rip, cr0, cr3, cr4, efer, stack, hostSaveArea });
}

/** While a guest runs: the host is in its save area. */
export function contextInGuest(machine: Machine): VmrunContext {
  const { state, memory } = machine;
  const { hostCr0: cr0, hostCr4: cr4, hostEfer: efer } = state;
  const hostSaveArea = Number(state.vmHsavePa);
  const saved = new VmcbView(memory, hostSaveArea);
  const rsp = saved.read("RSP");
  const isLong = (efer & EFER.LMA) !== 0n;
  const stack = isLong ? rsp : BigInt.asUintN(32, saved.read("SS").base + rsp);
  const rip = saved.read("RIP") - VMRUN_BYTES;
  const cr3 = saved.read("CR3");
  return new ContextInGuest(machine, { rip, cr0, cr3, cr4, efer, stack, hostSaveArea });
}
