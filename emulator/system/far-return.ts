/** RET far in every mode, and the parts that it shares with IRET (APM volume 3, RET (Far) and IRET). */
import type { Execution } from "../execution.ts";
import type { Segment } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import {
  checkReturnTarget,
  checkTarget,
  codeSegment,
  enterCode,
  isLongCode,
} from "./code-transfer.ts";
import { assignSegment, type Descriptor, isNull } from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { hasRealSegments } from "./mode.ts";
import {
  checkStackSegment,
  dropInnerSegments,
  loadRealSegment,
  nullStackSegment,
} from "./segments.ts";
import { currentStack, StackCursor } from "./stack.ts";

/** RET far; `release` more bytes of parameters go away. */
export function returnFar(x: Execution, size: 2 | 4 | 8, release: number): void {
  const { cpu } = x;
  const { state } = cpu;
  const stack = new StackCursor(cpu, currentStack(state));
  const offset = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  if (hasRealSegments(state)) {
    if (offset > BigInt(state.cs.limit)) throw new GuestFault("GP", 0);
    stack.skip(release);
    state.rsp = stack.rsp;
    loadRealSegment(cpu, "cs", selector);
    cpu.deriveMode();
    x.setNextRip(offset);
    return;
  }
  const target = checkReturnTarget(cpu, selector);
  const rip = checkTarget(cpu, target, offset);
  stack.skip(release);
  if ((selector & 3) === state.cpl) {
    const cs = codeSegment(cpu, selector, target, state.cpl);
    state.rsp = stack.rsp;
    enterCode(cpu, cs);
  } else {
    const outer = popOuterStack(cpu, stack, size, target, selector & 3);
    const cs = codeSegment(cpu, selector, target, selector & 3);
    enterCode(cpu, cs);
    assignSegment(state.ss, outer.ss);
    state.rsp = outer.rsp;
    dropInnerSegments(cpu);
    releaseOuter(cpu, release);
  }
  cpu.deriveMode();
  x.setNextRip(rip);
}

/** The caller's copy of the parameters goes away too, at the width of its stack. */
function releaseOuter(cpu: Vcpu, release: number): void {
  const cursor = new StackCursor(cpu, currentStack(cpu.state));
  cursor.skip(release);
  cpu.state.rsp = cursor.rsp;
}

/**
 * Pops SS:rSP for a return to `target` at privilege `cpl`. A null SS is legal only for 64-bit code
 * outside CPL 3.
 */
export function popOuterStack(
  cpu: Vcpu,
  stack: StackCursor,
  size: number,
  target: Descriptor,
  cpl: number,
): { ss: Segment; rsp: bigint } {
  const rsp = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const mayBeNull = isLongCode(cpu, target.attributes) && cpl < 3 && (selector & 3) === cpl;
  if (isNull(selector) && mayBeNull) return { ss: nullStackSegment(cpu.state.ss, cpl), rsp };
  return { ss: checkStackSegment(cpu, selector, cpl, "GP"), rsp };
}
