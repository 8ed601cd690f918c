/** Intercepts of whole instructions: bit set in the guest's VMCB, then #VMEXIT (APM volume 2, section 15.9). */

import type { Execution } from "../execution.ts";
import { InterceptExit } from "../system/exceptions.ts";
import type { Vcpu } from "../vcpu.ts";
import { INTERCEPTS, type InterceptName, isIntercepted } from "./intercepts.ts";

/** Exits if the running guest intercepts `name`; returns otherwise, and always in the host. */
export function interceptInstruction(cpu: Vcpu, name: InterceptName, info1 = 0n, info2 = 0n): void {
  if (!isIntercepted(cpu.state, name)) return;
  if (name === "PAUSE" && pauseIsFiltered(cpu)) return;
  throw new InterceptExit(INTERCEPTS[name].exitCode, info1, info2);
}

/** As interceptInstruction, with the decode assist of INT n, INVLPG and INVLPGA in EXITINFO1. */
export function interceptExecution(x: Execution, name: InterceptName): void {
  if (!isIntercepted(x.cpu.state, name)) return;
  interceptInstruction(x.cpu, name, decodeAssist(x, name));
}

/** Section 15.33.2 (INT n: the vector) and 15.33.3 (INVLPG, INVLPGA: the linear address). */
function decodeAssist(x: Execution, name: InterceptName): bigint {
  switch (name) {
    case "INTn":
      return x.read(0) & 0xffn;
    case "INVLPG":
      return x.linearOf(0);
    case "INVLPGA":
      return x.getRegister("rax", x.addressSize);
    default:
      return 0n;
  }
}

/**
 * Section 15.14.4: each PAUSE takes one off the count that VMRUN loaded, and the one that makes it 0
 * exits. A count of 0 exits at every PAUSE. There is no threshold (CPUID does not claim it).
 */
function pauseIsFiltered(cpu: Vcpu): boolean {
  const { state } = cpu;
  if (state.pauseFilterCount === 0) return false;
  state.pauseFilterCount -= 1;
  return state.pauseFilterCount > 0;
}
