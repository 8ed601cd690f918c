/** What follows when an instruction or a return replaced RFLAGS. */
import { flagMask } from "../state/flags.ts";
import type { Vcpu } from "../vcpu.ts";

/** Flags that end with, or act after, the next instruction: it runs by itself. */
const ONE_INSTRUCTION = flagMask("TF") | flagMask("RF");

/** Looks for interrupts before the next instruction if one waits, and lets TF and RF take effect. */
export function flagsChanged(cpu: Vcpu): void {
  const { interruptWaiting, flagsOther } = cpu.state;
  if (interruptWaiting !== 0 || (flagsOther & ONE_INSTRUCTION) !== 0n) cpu.recheckInterrupts();
}
