/** x87 rows of the transcendental functions. */

import type { Execution } from "../execution.ts";
import { constantOf } from "../fpu/constants.ts";
import { type Extended, INDEFINITE } from "../fpu/extended.ts";
import {
  arctangentOf,
  exponentialMinusOne,
  ofAngle,
  yLog2X,
  yLog2XPlus1,
} from "../fpu/transcendental.ts";
import { type ComplexSemantics, complexRow, type Row } from "./row.ts";
import { X87, X87Unit } from "./x87-unit.ts";

/** ST(1) = operation(ST(1), ST(0)), then a pop. */
const ofTwo =
  (operation: typeof yLog2X): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const result = unit.compute([0, 1], () =>
      operation(unit.env, unit.operand(1), unit.operand(0)),
    );
    unit.finish(() => {
      unit.stack.set(1, result);
      unit.stack.pop();
    });
  };

const sineOrCosine =
  (wanted: "sine" | "cosine"): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const result = unit.underflows(0) ? INDEFINITE : ofAngle(unit.env, unit.operand(0), wanted);
    unit.setIncomplete(result === undefined);
    unit.finish(() => {
      if (result !== undefined) unit.stack.set(0, result);
    });
  };

/** FSINCOS and FPTAN: one result in place of the operand, another pushed. */
const pair =
  (
    wanted: "sine" | "tangent",
    second: (unit: X87Unit, first: Extended) => Extended,
  ): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x);
    const empty = unit.underflows(0);
    if (empty || unit.overflows()) {
      unit.setIncomplete(false);
      unit.finish(() => {
        unit.stack.set(0, INDEFINITE);
        unit.stack.push(INDEFINITE);
      });
      return;
    }
    const first = ofAngle(unit.env, unit.operand(0), wanted);
    const pushed = first === undefined ? undefined : second(unit, first);
    unit.setIncomplete(first === undefined);
    unit.finish(() => {
      if (first === undefined || pushed === undefined) return;
      unit.stack.set(0, first);
      unit.stack.push(pushed);
    });
  };

const pushCosine = (unit: X87Unit, first: Extended): Extended =>
  ofAngle(unit.env, unit.operand(0), "cosine") ?? first;

/** FPTAN pushes 1.0, or the NaN that it computed. */
const pushOne = (unit: X87Unit, first: Extended): Extended => {
  const nan = (first.signExponent & 0x7fff) === 0x7fff && first.significand << 1n !== 1n << 64n;
  return nan ? first : constantOf("one", unit.env.rounding);
};

const single = (x: Execution): void => {
  const unit = new X87Unit(x);
  const result = unit.compute([0], () => exponentialMinusOne(unit.env, unit.operand(0)));
  unit.finish(() => unit.stack.set(0, result));
};

export const X87_TRANSCENDENTAL_ROWS: readonly Row[] = [
  complexRow("F2XM1", "D9 F0", "", X87, single),
  complexRow("FYL2X", "D9 F1", "", X87, ofTwo(yLog2X)),
  complexRow("FPTAN", "D9 F2", "", X87, pair("tangent", pushOne)),
  complexRow("FPATAN", "D9 F3", "", X87, ofTwo(arctangentOf)),
  complexRow("FYL2XP1", "D9 F9", "", X87, ofTwo(yLog2XPlus1)),
  complexRow("FSINCOS", "D9 FB", "", X87, pair("sine", pushCosine)),
  complexRow("FSIN", "D9 FE", "", X87, sineOrCosine("sine")),
  complexRow("FCOS", "D9 FF", "", X87, sineOrCosine("cosine")),
];
