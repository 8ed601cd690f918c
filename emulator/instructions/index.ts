/** Every instruction row of the machine. */

import { ARITHMETIC_ROWS } from "./arithmetic.ts";
import { BCD_ROWS } from "./bcd.ts";
import { BIT_ROWS } from "./bit.ts";
import { BRANCH_ROWS } from "./branch.ts";
import { CONVERT_ROWS } from "./convert.ts";
import { EXCHANGE_ROWS } from "./exchange.ts";
import { FLAG_ROWS } from "./flags.ts";
import { LOGIC_ROWS } from "./logic.ts";
import { MOVE_ROWS } from "./move.ts";
import { MULTIPLY_ROWS } from "./multiply.ts";
import { NOP_ROWS } from "./nop.ts";
import type { Row } from "./row.ts";
import { SHIFT_ROWS } from "./shift.ts";
import { SSE_INTEGER_ROWS } from "./sse-integer.ts";
import { SSE_MOVE_ROWS } from "./sse-move.ts";
import { SSE_SHIFT_ROWS } from "./sse-shift.ts";
import { STACK_ROWS } from "./stack.ts";
import { STRING_ROWS } from "./string.ts";

/** Integer instructions: all that is checked against the host CPU. */
export const INTEGER_ROWS: readonly Row[] = [
  ...ARITHMETIC_ROWS,
  ...LOGIC_ROWS,
  ...SHIFT_ROWS,
  ...MULTIPLY_ROWS,
  ...MOVE_ROWS,
  // Before EXCHANGE_ROWS: 90 is NOP, and XCHG only with REX.B.
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
  ...SSE_MOVE_ROWS,
  ...SSE_INTEGER_ROWS,
  ...SSE_SHIFT_ROWS,
];
