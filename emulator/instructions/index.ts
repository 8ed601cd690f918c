/** Every instruction row of the machine. */

import { ARITHMETIC_ROWS } from "./arithmetic.ts";
import { BCD_ROWS } from "./bcd.ts";
import { BIT_ROWS } from "./bit.ts";
import { BRANCH_ROWS } from "./branch.ts";
import { CONTROL_REGISTER_ROWS } from "./control-register.ts";
import { CONVERT_ROWS } from "./convert.ts";
import { EXCHANGE_ROWS } from "./exchange.ts";
import { FAR_ROWS } from "./far.ts";
import { FLAG_ROWS } from "./flags.ts";
import { INTERRUPT_ROWS } from "./interrupt.ts";
import { LOGIC_ROWS } from "./logic.ts";
import { MMX_ROWS } from "./mmx.ts";
import { MOVE_ROWS } from "./move.ts";
import { MSR_ROWS } from "./msr.ts";
import { MULTIPLY_ROWS } from "./multiply.ts";
import { NOP_ROWS } from "./nop.ts";
import { PORT_ROWS } from "./port.ts";
import type { Row } from "./row.ts";
import { SEGMENT_ROWS } from "./segment.ts";
import { SHIFT_ROWS } from "./shift.ts";
import { SSE_CONVERT_ROWS } from "./sse-convert.ts";
import { SSE_FLOAT_ROWS } from "./sse-float.ts";
import { SSE_INTEGER_ROWS } from "./sse-integer.ts";
import { SSE_MOVE_ROWS } from "./sse-move.ts";
import { SSE_SHIFT_ROWS } from "./sse-shift.ts";
import { SSE_STATE_ROWS } from "./sse-state.ts";
import { STACK_ROWS } from "./stack.ts";
import { STRING_ROWS } from "./string.ts";
import { SVM_ROWS } from "./svm.ts";
import { SYSCALL_ROWS } from "./syscall.ts";
import { SYSTEM_ROWS } from "./system.ts";
import { X87_ARITHMETIC_ROWS } from "./x87-arithmetic.ts";
import { X87_COMPARE_ROWS } from "./x87-compare.ts";
import { X87_CONTROL_ROWS } from "./x87-control.ts";
import { X87_LOAD_ROWS } from "./x87-load.ts";
import { X87_TRANSCENDENTAL_ROWS } from "./x87-transcendental.ts";

/** Integer instructions of user mode: all that is checked against the host CPU by integer vectors. */
export const INTEGER_ROWS: readonly Row[] = [
  ...ARITHMETIC_ROWS,
  ...LOGIC_ROWS,
  ...SHIFT_ROWS,
  ...MULTIPLY_ROWS,
  ...MOVE_ROWS,
  ...NOP_ROWS,
  ...EXCHANGE_ROWS,
  ...STACK_ROWS,
  ...BRANCH_ROWS,
  ...STRING_ROWS,
  ...BIT_ROWS,
  ...CONVERT_ROWS,
  ...FLAG_ROWS,
  ...BCD_ROWS,
];

export const ROWS: readonly Row[] = [
  ...INTEGER_ROWS,
  ...SEGMENT_ROWS,
  ...FAR_ROWS,
  ...INTERRUPT_ROWS,
  ...SYSCALL_ROWS,
  ...CONTROL_REGISTER_ROWS,
  ...MSR_ROWS,
  ...PORT_ROWS,
  ...SYSTEM_ROWS,
  ...SVM_ROWS,
  ...SSE_MOVE_ROWS,
  ...SSE_INTEGER_ROWS,
  ...SSE_SHIFT_ROWS,
  ...SSE_FLOAT_ROWS,
  ...SSE_CONVERT_ROWS,
  ...SSE_STATE_ROWS,
  ...MMX_ROWS,
  ...X87_CONTROL_ROWS,
  ...X87_LOAD_ROWS,
  ...X87_ARITHMETIC_ROWS,
  ...X87_COMPARE_ROWS,
  ...X87_TRANSCENDENTAL_ROWS,
];
