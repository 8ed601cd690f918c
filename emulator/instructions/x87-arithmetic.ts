/** x87 rows that compute: the four operations with register and memory, and on the top alone. */

import type { Execution } from "../execution.ts";
import { BINARY32, BINARY64 } from "../fpu/binary.ts";
import { type Extended, INDEFINITE, type Operand, type X87Environment } from "../fpu/extended.ts";
import {
  add,
  divide,
  type ExtendedOperation,
  extract,
  multiply,
  remainder,
  roundToInteger,
  scale,
  squareRoot,
  subtract,
} from "../fpu/extended-arithmetic.ts";
import { operandOfBinary, operandOfInteger } from "../fpu/extended-convert.ts";
import { Status } from "../fpu/register-stack.ts";
import { type ComplexSemantics, complexRow, opcodeByte, type Row } from "./row.ts";
import { X87, X87Unit } from "./x87-unit.ts";

const reversed =
  (operation: ExtendedOperation): ExtendedOperation =>
  (env, a, b) =>
    operation(env, b, a);

/** The value of memory operand 0, by the letter of its row. */
type Load = (x: Execution) => Operand;
export const loadSingle: Load = (x) => operandOfBinary(BINARY32, x.read(0));
export const loadDouble: Load = (x) => operandOfBinary(BINARY64, x.read(0));
export const loadShort: Load = (x) => operandOfInteger(x.read(0), 16);
export const loadInteger: Load = (x) => operandOfInteger(x.read(0), 32);
export const loadLong: Load = (x) => operandOfInteger(x.read(0), 64);

/** ST(0) = operation(ST(0), memory). */
const withMemory =
  (operation: ExtendedOperation, load: Load): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x, 0);
    const source = load(x);
    const result = unit.compute([0], () => operation(unit.env, unit.operand(0), source));
    unit.finish(() => unit.stack.set(0, result));
  };

/** ST(0) = operation(ST(0), ST(i)). */
const toTop =
  (operation: ExtendedOperation): ComplexSemantics =>
  (x) => {
    const i = x.registerNumber(0);
    const unit = new X87Unit(x);
    const result = unit.compute([0, i], () =>
      operation(unit.env, unit.operand(0), unit.operand(i)),
    );
    unit.finish(() => unit.stack.set(0, result));
  };

/** ST(i) = operation(ST(i), ST(0)), then perhaps a pop. */
const toRegister =
  (operation: ExtendedOperation, pops: boolean): ComplexSemantics =>
  (x) => {
    const i = x.registerNumber(0);
    const unit = new X87Unit(x);
    const result = unit.compute([0, i], () =>
      operation(unit.env, unit.operand(i), unit.operand(0)),
    );
    unit.finish(() => {
      unit.stack.set(i, result);
      if (pops) unit.stack.pop();
    });
  };

const onTop =
  (operation: (env: X87Environment, a: Operand) => Extended): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const result = unit.compute([0], () => operation(unit.env, unit.operand(0)));
    unit.finish(() => unit.stack.set(0, result));
  };

/** Sign changes look at nothing but the stack. */
const onSign =
  (change: (signExponent: number) => number): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const result = unit.compute([0], () => {
      const { significand, signExponent } = unit.stack.get(0);
      return { significand, signExponent: change(signExponent) };
    });
    unit.finish(() => unit.stack.set(0, result));
  };

function extractTop(x: Execution): void {
  const unit = new X87Unit(x);
  const parts =
    unit.underflows(0) || unit.overflows()
      ? { exponent: INDEFINITE, significand: INDEFINITE }
      : extract(unit.env, unit.operand(0));
  unit.finish(() => {
    unit.stack.set(0, parts.exponent);
    unit.stack.push(parts.significand);
  });
}

/**
 * Quotient bits 2, 1 and 0 go to C0, C3 and C1; C2 says that the reduction is incomplete. Without a
 * quotient (NaNs, invalid operands) C0 and C3 stay.
 */
const remainderOfTop =
  (nearest: boolean): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const part = unit.underflows(0, 1)
      ? { value: INDEFINITE, quotient: "none" as const }
      : remainder(unit.env, unit.operand(0), unit.operand(1), nearest);
    const { quotient } = part;
    unit.setIncomplete(quotient === "partial" && !unit.withheld);
    unit.finish(() => {
      unit.stack.set(0, part.value);
      if (quotient === "none") return;
      const low = quotient === "partial" ? 0 : quotient;
      unit.setConditions(
        (quotient === "partial" ? Status.c2 : 0) |
          ((low & 4) !== 0 ? Status.c0 : 0) |
          ((low & 2) !== 0 ? Status.c3 : 0),
      );
      unit.env.roundedUp = (low & 1) !== 0;
    });
  };

/** The rows of one of the four operations; `digit` is its /digit, which D8 C0+8n repeats. */
function family(
  name: string,
  operation: ExtendedOperation,
  digit: number,
  storesAtDigit: number,
): readonly Row[] {
  const integer = `FI${name.slice(1)}`;
  const at = opcodeByte(0xc0 + 8 * digit);
  const stores = opcodeByte(0xc0 + 8 * storesAtDigit);
  return [
    complexRow(name, `D8 /${digit}`, "Md", X87, withMemory(operation, loadSingle)),
    complexRow(name, `DC /${digit}`, "Mq", X87, withMemory(operation, loadDouble)),
    complexRow(integer, `DA /${digit}`, "Md", X87, withMemory(operation, loadInteger)),
    complexRow(integer, `DE /${digit}`, "Mw", X87, withMemory(operation, loadShort)),
    complexRow(name, `D8 ${at} +i`, "STi", X87, toTop(operation)),
    complexRow(name, `DC ${stores} +i`, "STi", X87, toRegister(operation, false)),
    complexRow(`${name}P`, `DE ${stores} +i`, "STi", X87, toRegister(operation, true)),
  ];
}

export const X87_ARITHMETIC_ROWS: readonly Row[] = [
  ...family("FADD", add, 0, 0),
  ...family("FMUL", multiply, 1, 1),
  // With ST(i) as destination, the encodings of each pair change places.
  ...family("FSUB", subtract, 4, 5),
  ...family("FSUBR", reversed(subtract), 5, 4),
  ...family("FDIV", divide, 6, 7),
  ...family("FDIVR", reversed(divide), 7, 6),
  complexRow(
    "FCHS",
    "D9 E0",
    "",
    X87,
    onSign((s) => s ^ 0x8000),
  ),
  complexRow(
    "FABS",
    "D9 E1",
    "",
    X87,
    onSign((s) => s & 0x7fff),
  ),
  complexRow("FXTRACT", "D9 F4", "", X87, extractTop),
  complexRow("FPREM1", "D9 F5", "", X87, remainderOfTop(true)),
  complexRow("FPREM", "D9 F8", "", X87, remainderOfTop(false)),
  complexRow("FSQRT", "D9 FA", "", X87, onTop(squareRoot)),
  complexRow("FRNDINT", "D9 FC", "", X87, onTop(roundToInteger)),
  complexRow("FSCALE", "D9 FD", "", X87, (x) => {
    const unit = new X87Unit(x);
    const result = unit.compute([0, 1], () => scale(unit.env, unit.operand(0), unit.operand(1)));
    unit.finish(() => unit.stack.set(0, result));
  }),
];
