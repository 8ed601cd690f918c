/** What may happen between two instructions: NMI, INTR and virtual interrupts (APM volume 2, sections 15.13, 15.17, 15.21). */

import { getFlag } from "../state/flags.ts";
import { EXCEPTIONS, InterceptExit } from "../system/exceptions.ts";
import type { Vcpu } from "../vcpu.ts";
import { deliverOrExit } from "./inject.ts";
import { INTERCEPTS, type InterceptName, isIntercepted } from "./intercepts.ts";
import { performExit } from "./vmexit.ts";

/** What would be done now, in the order of priority. */
type Step =
  | { readonly kind: "exit"; readonly intercept: InterceptName }
  | { readonly kind: "nmi" | "physical" | "virtual" };

/** An NMI. Its intercept heeds neither the shadow nor the block until IRET; delivery heeds both. */
function nmiStep(cpu: Vcpu): Step | undefined {
  const { state } = cpu;
  if (state.nmiPending === 0) return undefined;
  if (isIntercepted(state, "NMI")) return { kind: "exit", intercept: "NMI" };
  if (state.nmiBlocked !== 0 || state.interruptShadow !== 0) return undefined;
  return { kind: "nmi" };
}

/**
 * A physical interrupt. With V_INTR_MASKING the host's IF at VMRUN admits it, else the present IF
 * does. The interrupt shadow holds off delivery, not the intercept (section 15.21.5).
 */
function physicalStep(cpu: Vcpu): Step | undefined {
  const { state } = cpu;
  const byHost = state.guestMode !== 0 && state.virtualIntrMasking !== 0;
  const admitted = byHost ? state.hostInterruptFlag !== 0 : getFlag(state, "IF");
  if (!admitted || !cpu.interrupts.pending()) return undefined;
  if (isIntercepted(state, "INTR")) return { kind: "exit", intercept: "INTR" };
  return state.interruptShadow === 0 ? { kind: "physical" } : undefined;
}

/** V_IRQ: taken by the guest's own IF, and above V_TPR unless V_IGN_TPR (section 15.21.4). */
function virtualStep(cpu: Vcpu): Step | undefined {
  const { state } = cpu;
  if (state.guestMode === 0 || state.virtualIrq === 0) return undefined;
  if (!getFlag(state, "IF") || state.interruptShadow !== 0) return undefined;
  const above = state.virtualIrqPriority > (state.virtualTpr & 15);
  if (state.virtualIgnoreTpr === 0 && !above) return undefined;
  if (isIntercepted(state, "VINTR")) return { kind: "exit", intercept: "VINTR" };
  return { kind: "virtual" };
}

/** With GIF clear all of them are held (section 15.17). */
function nextStep(cpu: Vcpu): Step | undefined {
  if (cpu.state.gif === 0 || cpu.state.shutdown !== 0) return undefined;
  return nmiStep(cpu) ?? physicalStep(cpu) ?? virtualStep(cpu);
}

/** Whether takePendingInterrupt would do something now. A halted CPU wakes exactly then. */
export function interruptPossible(cpu: Vcpu): boolean {
  return nextStep(cpu) !== undefined;
}

/** Whether anything waits, possible now or not: state.interruptWaiting. */
export function interruptWaits(cpu: Vcpu): boolean {
  const { state } = cpu;
  if (state.nmiPending !== 0 || cpu.interrupts.pending()) return true;
  return state.guestMode !== 0 && state.virtualIrq !== 0;
}

/**
 * Takes the most urgent interrupt that is possible now: delivers it, or exits. True if it did; rip
 * is then the handler's or the host's, and the CPU is not halted.
 */
export function takePendingInterrupt(cpu: Vcpu): boolean {
  const step = nextStep(cpu);
  if (step === undefined) return false;
  const { state } = cpu;
  state.halted = 0;
  switch (step.kind) {
    case "exit":
      // The event stays pending: the host takes it when it sets GIF.
      performExit(cpu, new InterceptExit(INTERCEPTS[step.intercept].exitCode));
      return true;
    case "nmi":
      state.nmiPending = 0;
      deliverOrExit(cpu, EXCEPTIONS.NMI.vector, { type: "NMI" });
      return true;
    case "physical":
      deliverOrExit(cpu, cpu.interrupts.acknowledge(), { type: "INTR" });
      return true;
    case "virtual":
      state.virtualIrq = 0;
      deliverOrExit(cpu, state.virtualIrqVector, { type: "INTR" });
      return true;
  }
}
