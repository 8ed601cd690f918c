/** What follows when an instruction or a return replaced RFLAGS. */
import { Flag } from "../state/flags.ts";
import type { Vcpu } from "../vcpu.ts";

const TF = 1n << BigInt(Flag.TF);

/** Looks for interrupts before the next instruction if one waits, and lets single-stepping begin. */
export function flagsChanged(cpu: Vcpu): void {
  const { interruptWaiting, flagsOther } = cpu.state;
  if (interruptWaiting !== 0 || (flagsOther & TF) !== 0n) cpu.recheckInterrupts();
}
