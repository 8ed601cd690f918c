/** Sign extension of the accumulator: CBW/CWDE/CDQE and CWD/CDQ/CQO. */

import { type Row, row } from "./row.ts";

export const CONVERT_ROWS: readonly Row[] = [
  row("CBW", "98", "", {}, (c) => {
    const half = c.operandSize === 8 ? 4 : c.operandSize === 4 ? 2 : 1;
    c.setRegister("rax", c.operandSize, c.signExtend(c.getRegister("rax", half), half));
  }),
  row("CWD", "99", "", {}, (c) => {
    const size = c.operandSize;
    const sign = c.shiftRightSigned(c.signExtend(c.getRegister("rax", size), size), c.constant(63));
    c.setRegister("rdx", size, sign);
  }),
];
