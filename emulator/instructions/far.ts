/** Far JMP, CALL and RET, and IRET. */
import type { Execution } from "../execution.ts";
import { returnFar } from "../system/far-return.ts";
import { type FarKind, type FarPointer, transferFar } from "../system/far-transfer.ts";
import { interruptReturn } from "../system/iret.ts";
import { complexRow, type Row } from "./row.ts";

function immediatePointer(x: Execution): FarPointer {
  const size = x.operandSize === 2 ? 2 : 4;
  const value = x.read(0);
  const selector = Number((value >> BigInt(size * 8)) & 0xffffn);
  return { selector, offset: BigInt.asUintN(size * 8, value), size };
}

function memoryPointer(x: Execution): FarPointer {
  const size = x.operandSize === 2 ? 2 : 4;
  const offset = x.loadOperand(0, 0, size);
  return { selector: Number(x.loadOperand(0, size, 2)), offset, size };
}

const direct = (kind: FarKind) => (x: Execution) => transferFar(x, kind, immediatePointer(x));
const indirect = (kind: FarKind) => (x: Execution) => transferFar(x, kind, memoryPointer(x));

export const FAR_ROWS: readonly Row[] = [
  complexRow("JMP", "EA", "Ap", { not64: true }, direct("JMP")),
  complexRow("CALL", "9A", "Ap", { not64: true }, direct("CALL")),
  complexRow("JMP", "FF /5", "Mp", {}, indirect("JMP")),
  complexRow("CALL", "FF /3", "Mp", {}, indirect("CALL")),
  complexRow("RETF", "CB", "", {}, (x) => returnFar(x, x.operandSize, 0)),
  complexRow("RETF", "CA", "Iw", {}, (x) =>
    returnFar(x, x.operandSize, Number(x.read(0) & 0xffffn)),
  ),
  complexRow(
    "IRET",
    "CF",
    "",
    { intercept: "IRET", interceptOrder: "interceptFirst" },
    interruptReturn,
  ),
];
