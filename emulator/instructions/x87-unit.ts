/** What x87 instructions share: pointers, stack faults, and when results and flags are delivered. */

import type { Execution } from "../execution.ts";
import {
  type Extended,
  INDEFINITE,
  type Operand,
  unpack,
  X87Environment,
} from "../fpu/extended.ts";
import { RegisterStack, Status, updateSummary } from "../fpu/register-stack.ts";
import { FpuFlag } from "../fpu/rounding.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { RowOptions } from "./row.ts";

export const X87: RowOptions = { unit: "x87", feature: "X87" };
export const X87_NO_WAIT: RowOptions = { unit: "x87-no-wait", feature: "X87" };

/** The exceptions found before computing: an unmasked one keeps the result from being delivered. */
const PRE_COMPUTATION = FpuFlag.invalid | FpuFlag.denormal | FpuFlag.zeroDivide;

/** The instruction that the last-instruction pointers describe, and its memory operand if any. */
function notePointers(x: Execution, memoryOperand: number | undefined): void {
  const { state } = x.cpu;
  const at = x.bytes.findIndex((byte) => (byte & 0xf8) === 0xd8);
  state.fop = ((x.bytes[at]! & 7) << 8) | x.bytes[at + 1]!;
  state.fip = x.rip;
  state.fcs = state.cs.selector;
  if (memoryOperand === undefined) return;
  state.fdp = x.offset(memoryOperand);
  state.fds = state[x.segmentOf(memoryOperand)].selector;
}

/** One instruction in flight: operands come out, flags gather, `finish` delivers. */
export class X87Unit {
  readonly state: CpuState;
  readonly stack: RegisterStack;
  readonly env: X87Environment;
  private readonly x: Execution;
  private readonly memoryOperand: number | undefined;
  /** Loads push a denormal also where its exception is unmasked. */
  withholding: number = PRE_COMPUTATION;
  private stackFault = false;
  private c1 = false;

  constructor(x: Execution, memoryOperand?: number) {
    this.x = x;
    this.memoryOperand = memoryOperand;
    this.state = x.cpu.state;
    this.stack = new RegisterStack(this.state);
    this.env = new X87Environment(this.state.fcw);
  }

  operand(i: number): Operand {
    return unpack(this.stack.get(i));
  }

  /** Notes a stack underflow if one of these registers is empty. */
  underflows(...registers: readonly number[]): boolean {
    if (!registers.some((i) => this.stack.isEmpty(i))) return false;
    this.env.flags |= FpuFlag.invalid;
    this.stackFault = true;
    return true;
  }

  /** Notes a stack overflow if a push has no room; nothing else is reported then. */
  overflows(): boolean {
    if (this.stack.isEmpty(-1)) return false;
    this.env.flags = FpuFlag.invalid;
    this.stackFault = true;
    this.c1 = true;
    return true;
  }

  /** The computed value, or the indefinite if a register that it needs is empty. */
  compute(registers: readonly number[], result: () => Extended): Extended {
    return this.underflows(...registers) ? INDEFINITE : result();
  }

  /** Whether an unmasked exception withholds the result. */
  get withheld(): boolean {
    return (this.env.flags & this.env.unmasked & this.withholding) !== 0;
  }

  setConditions(bits: number): void {
    this.state.fsw = (this.state.fsw & ~(Status.c0 | Status.c2 | Status.c3)) | bits;
  }

  /** C2 alone: a reduction that is not finished, an angle out of range. */
  setIncomplete(incomplete: boolean): void {
    this.state.fsw = incomplete ? this.state.fsw | Status.c2 : this.state.fsw & ~Status.c2;
  }

  /**
   * Delivers: `write` first (its memory access may fault and must find nothing changed), then C1
   * and the flags. A withheld result leaves later exceptions unreported. `keepsC1` is for the
   * instructions that touch C1 only with a stack fault.
   */
  finish(write: () => void, keepsC1 = false): void {
    const { env, state } = this;
    const { withheld } = this;
    if (!withheld) write();
    const flags = withheld ? env.flags & PRE_COMPUTATION : env.flags;
    const up = this.c1 || (env.roundedUp && !withheld && !this.stackFault);
    state.fsw =
      (keepsC1 && !this.stackFault ? state.fsw : state.fsw & ~Status.c1) |
      flags |
      (up ? Status.c1 : 0) |
      (this.stackFault ? Status.stackFault : 0);
    updateSummary(state);
    notePointers(this.x, this.memoryOperand);
  }
}
