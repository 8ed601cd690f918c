/** The VMCB's control area as VMRUN takes it in and #VMEXIT gives it back (APM volume 2, sections 15.5 and 15.21). */

import type { CpuState } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import { TlbControl } from "./vmcb.ts";
import type { VmcbView } from "./vmcb-view.ts";

const PAGE = ~0xfffn;
const V_TPR = 0xffn;
const V_IRQ = 1n << 8n;

const field = (word: bigint, low: number, width: number): number =>
  Number(BigInt.asUintN(width, word >> BigInt(low)));

/**
 * Loads every control field. VMCB_CLEAN is not looked at: it only permits a CPU to use values that
 * it cached, and this one caches none (section 15.15).
 */
export function loadControls(cpu: Vcpu, vmcb: VmcbView): void {
  const { state } = cpu;
  state.interceptCr = join(vmcb.read("INTERCEPT_CR_READ"), vmcb.read("INTERCEPT_CR_WRITE"));
  state.interceptDr = join(vmcb.read("INTERCEPT_DR_READ"), vmcb.read("INTERCEPT_DR_WRITE"));
  state.interceptExceptions = vmcb.read("INTERCEPT_EXCEPTIONS");
  state.interceptMisc1 = vmcb.read("INTERCEPT_MISC1");
  state.interceptMisc2 = vmcb.read("INTERCEPT_MISC2");
  state.pauseFilterCount = vmcb.read("PAUSE_FILTER_COUNT");
  state.iopmBase = vmcb.read("IOPM_BASE_PA") & PAGE;
  state.msrpmBase = vmcb.read("MSRPM_BASE_PA") & PAGE;
  state.asid = vmcb.read("GUEST_ASID");
  state.nestedPaging = Number(vmcb.read("NP_ENABLE") & 1n);
  state.nestedCr3 = vmcb.read("nCR3");
  state.hostTscOffset = state.tscOffset;
  state.tscOffset = BigInt.asUintN(64, state.hostTscOffset + vmcb.read("TSC_OFFSET"));
  state.interruptShadow = Number(vmcb.read("INTERRUPT_SHADOW") & 1n);
  loadVirtualInterrupt(state, vmcb.read("VINTR"));
}

const join = (low: number, high: number): number => ((high << 16) | low) >>> 0;

function loadVirtualInterrupt(state: CpuState, word: bigint): void {
  state.virtualTpr = field(word, 0, 8);
  state.virtualIrq = field(word, 8, 1);
  state.virtualGif = field(word, 9, 1);
  state.virtualIrqPriority = field(word, 16, 4);
  state.virtualIgnoreTpr = field(word, 20, 1);
  state.virtualIntrMasking = field(word, 24, 1);
  state.virtualIrqVector = field(word, 32, 8);
}

/** TLB_CONTROL (section 15.16.2). The encodings that are not named here are reserved: nothing. */
export function flushAsTold(cpu: Vcpu, vmcb: VmcbView): void {
  switch (vmcb.read("TLB_CONTROL")) {
    case TlbControl.flushAll:
      cpu.mmu.flushAll();
      return;
    case TlbControl.flushAsid:
      cpu.mmu.flushAsid(vmcb.read("GUEST_ASID"), false);
      return;
    case TlbControl.flushAsidNonGlobal:
      cpu.mmu.flushAsid(vmcb.read("GUEST_ASID"), true);
  }
}

/**
 * What #VMEXIT writes of the virtual interrupt and the shadow. An instruction that is intercepted
 * while it runs in a shadow leaves the shadow on.
 */
export function saveVirtualInterrupt(state: CpuState, vmcb: VmcbView): void {
  const kept = vmcb.read("VINTR") & ~(V_TPR | V_IRQ);
  vmcb.write("VINTR", kept | BigInt(state.virtualTpr) | (state.virtualIrq !== 0 ? V_IRQ : 0n));
  vmcb.write("INTERRUPT_SHADOW", state.interruptShadow !== 0 ? 1n : 0n);
}

/** The CPU is in the host: no intercepts, no virtual interrupts, ASID 0. */
export function clearControls(state: CpuState): void {
  state.guestMode = 0;
  state.asid = 0;
  state.interceptCr = 0;
  state.interceptDr = 0;
  state.interceptExceptions = 0;
  state.interceptMisc1 = 0;
  state.interceptMisc2 = 0;
  state.nestedPaging = 0;
  state.virtualIntrMasking = 0;
  state.virtualIrq = 0;
  state.virtualGif = 0;
  state.tscOffset = state.hostTscOffset;
}
