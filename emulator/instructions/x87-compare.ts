/** x87 rows that compare and examine, into the condition bits or RFLAGS. */

import type { Execution } from "../execution.ts";
import { classify, type Operand, unpack, zero } from "../fpu/extended.ts";
import { relation } from "../fpu/extended-arithmetic.ts";
import { Status } from "../fpu/register-stack.ts";
import { type ComplexSemantics, complexRow, type Row } from "./row.ts";
import { loadDouble, loadInteger, loadShort, loadSingle } from "./x87-arithmetic.ts";
import { X87, X87Unit } from "./x87-unit.ts";

type Order = -1 | 0 | 1 | undefined;

function conditionBits(order: Order): number {
  if (order === undefined) return Status.c3 | Status.c2 | Status.c0;
  return order === 0 ? Status.c3 : order < 0 ? Status.c0 : 0;
}

/** The condition bits are set even where an unmasked exception withholds the pops. */
function deliver(unit: X87Unit, order: Order, pops: number): void {
  unit.setConditions(conditionBits(order));
  unit.finish(() => {
    for (let i = 0; i < pops; i++) unit.stack.pop();
  });
}

/** ST(0) with ST(i). */
const withRegister =
  (pops: number, quietIsInvalid: boolean, register?: number): ComplexSemantics =>
  (x) => {
    const i = register ?? x.registerNumber(0);
    const unit = new X87Unit(x);
    const order = unit.underflows(0, i)
      ? undefined
      : relation(unit.env, unit.operand(0), unit.operand(i), quietIsInvalid);
    deliver(unit, order, pops);
  };

const withMemory =
  (load: (x: Execution) => Operand, pops: number): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x, 0);
    const source = load(x);
    const order = unit.underflows(0)
      ? undefined
      : relation(unit.env, unit.operand(0), source, true);
    deliver(unit, order, pops);
  };

function testTop(x: Execution): void {
  const unit = new X87Unit(x);
  const order = unit.underflows(0)
    ? undefined
    : relation(unit.env, unit.operand(0), unpack(zero(false)), true);
  deliver(unit, order, 0);
}

/** FCOMI and FUCOMI: ZF, PF and CF, also where the pop is withheld; other flags are cleared. */
const toFlags =
  (pops: number, quietIsInvalid: boolean): ComplexSemantics =>
  (x) => {
    const i = x.registerNumber(0);
    const unit = new X87Unit(x);
    const order = unit.underflows(0, i)
      ? undefined
      : relation(unit.env, unit.operand(0), unit.operand(i), quietIsInvalid);
    x.setFlags({
      ZF: order === 0 || order === undefined,
      PF: order === undefined,
      CF: order === -1 || order === undefined,
      OF: false,
      SF: false,
      AF: false,
    });
    unit.finish(() => {
      for (let n = 0; n < pops; n++) unit.stack.pop();
    }, true);
  };

function classBits(unit: X87Unit): number {
  if (unit.stack.isEmpty(0)) return Status.c3 | Status.c0;
  const value = unit.stack.get(0);
  switch (classify(value)) {
    case "unsupported":
      return 0;
    case "quiet":
    case "signalling":
      return Status.c0;
    case "infinity":
      return Status.c2 | Status.c0;
    case "zero":
      return Status.c3;
    case "finite":
      return (value.signExponent & 0x7fff) === 0 ? Status.c3 | Status.c2 : Status.c2;
  }
}

/** FXAM: the class of the top; C1 is its sign, also of an empty register. */
function examine(x: Execution): void {
  const unit = new X87Unit(x);
  const bits = classBits(unit);
  unit.env.roundedUp = (unit.stack.get(0).signExponent & 0x8000) !== 0;
  unit.finish(() => unit.setConditions(bits));
}

export const X87_COMPARE_ROWS: readonly Row[] = [
  complexRow("FCOM", "D8 /2", "Md", X87, withMemory(loadSingle, 0)),
  complexRow("FCOMP", "D8 /3", "Md", X87, withMemory(loadSingle, 1)),
  complexRow("FCOM", "DC /2", "Mq", X87, withMemory(loadDouble, 0)),
  complexRow("FCOMP", "DC /3", "Mq", X87, withMemory(loadDouble, 1)),
  complexRow("FICOM", "DA /2", "Md", X87, withMemory(loadInteger, 0)),
  complexRow("FICOMP", "DA /3", "Md", X87, withMemory(loadInteger, 1)),
  complexRow("FICOM", "DE /2", "Mw", X87, withMemory(loadShort, 0)),
  complexRow("FICOMP", "DE /3", "Mw", X87, withMemory(loadShort, 1)),
  complexRow("FCOM", "D8 D0 +i", "STi", X87, withRegister(0, true)),
  complexRow("FCOMP", "D8 D8 +i", "STi", X87, withRegister(1, true)),
  // Undocumented second encodings.
  complexRow("FCOM", "DC D0 +i", "STi", X87, withRegister(0, true)),
  complexRow("FCOMP", "DC D8 +i", "STi", X87, withRegister(1, true)),
  complexRow("FCOMP", "DE D0 +i", "STi", X87, withRegister(1, true)),
  complexRow("FCOMPP", "DE D9", "", X87, withRegister(2, true, 1)),
  complexRow("FUCOM", "DD E0 +i", "STi", X87, withRegister(0, false)),
  complexRow("FUCOMP", "DD E8 +i", "STi", X87, withRegister(1, false)),
  complexRow("FUCOMPP", "DA E9", "", X87, withRegister(2, false, 1)),
  complexRow("FCOMI", "DB F0 +i", "STi", X87, toFlags(0, true)),
  complexRow("FUCOMI", "DB E8 +i", "STi", X87, toFlags(0, false)),
  complexRow("FCOMIP", "DF F0 +i", "STi", X87, toFlags(1, true)),
  complexRow("FUCOMIP", "DF E8 +i", "STi", X87, toFlags(1, false)),
  complexRow("FTST", "D9 E4", "", X87, testTop),
  complexRow("FXAM", "D9 E5", "", X87, examine),
];
