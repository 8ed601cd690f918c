/** x87 rows that move: loads, stores, constants, exchanges and conditional moves. */

import type { Execution } from "../execution.ts";
import { constantOf, type X87Constant } from "../fpu/constants.ts";
import { type Extended, INDEFINITE, type X87Environment, zero } from "../fpu/extended.ts";
import {
  loadOperand,
  operandOfBcd,
  storeBcd,
  storeDouble,
  storeInteger,
  storeSingle,
} from "../fpu/extended-convert.ts";
import { FpuFlag, Rounding } from "../fpu/rounding.ts";
import type { ConditionCode } from "./context.ts";
import { type ComplexSemantics, complexRow, type Row, type RowOptions } from "./row.ts";
import { loadDouble, loadInteger, loadLong, loadShort, loadSingle } from "./x87-arithmetic.ts";
import { X87, X87Unit } from "./x87-unit.ts";

const SSE3: RowOptions = { ...X87, feature: "SSE3" };

/** Pushes what `make` computes from the memory operand (or from nothing). */
const push =
  (
    memoryOperand: number | undefined,
    make: (x: Execution, env: X87Environment) => Extended,
  ): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x, memoryOperand);
    unit.withholding = FpuFlag.invalid;
    // The operand is read first: its memory fault comes before a stack fault.
    const value = make(x, unit.env);
    const pushed = unit.overflows() ? INDEFINITE : value;
    unit.finish(() => unit.stack.push(pushed));
  };

function readTenBytes(x: Execution): bigint {
  return x.loadOperand(0, 0, 10);
}

function pushRegister(x: Execution): void {
  const i = x.registerNumber(0);
  const unit = new X87Unit(x);
  const pushed = unit.underflows(i) || unit.overflows() ? INDEFINITE : unit.stack.get(i);
  unit.finish(() => unit.stack.push(pushed));
}

/** Stores what `convert` makes of ST(0); undefined withholds the store and the pop. */
const store =
  (
    bytes: number,
    pops: boolean,
    convert: (env: X87Environment, value: Extended) => bigint | undefined,
  ): ComplexSemantics =>
  (x) => {
    const unit = new X87Unit(x, 0);
    const value = unit.underflows(0) ? INDEFINITE : unit.stack.get(0);
    const stored = convert(unit.env, value);
    unit.finish(() => {
      if (stored === undefined) return;
      x.storeOperand(0, 0, bytes, stored);
      if (pops) unit.stack.pop();
    });
  };

const integer =
  (bits: number, mode?: number) =>
  (env: X87Environment, value: Extended): bigint =>
    storeInteger(env, value, bits, mode ?? env.rounding);

const whole = (_env: X87Environment, value: Extended): bigint =>
  (BigInt(value.signExponent) << 64n) | value.significand;

const storeRegister =
  (pops: boolean): ComplexSemantics =>
  (x) => {
    const i = x.registerNumber(0);
    const unit = new X87Unit(x);
    const value = unit.compute([0], () => unit.stack.get(0));
    unit.finish(() => {
      unit.stack.set(i, value);
      if (pops) unit.stack.pop();
    });
  };

/** FSTPNCE: an empty top is popped without a stack fault, and nothing is stored. */
function storeUnchecked(x: Execution): void {
  const unit = new X87Unit(x);
  const i = x.registerNumber(0);
  unit.finish(() => {
    if (!unit.stack.isEmpty(0)) unit.stack.set(i, unit.stack.get(0));
    unit.stack.pop();
  });
}

/** FXCH: an empty register counts as holding the indefinite. */
function exchange(x: Execution): void {
  const i = x.registerNumber(0);
  const unit = new X87Unit(x);
  unit.underflows(0, i);
  const [top, other] = [0, i].map((n) =>
    unit.stack.isEmpty(n) ? INDEFINITE : unit.stack.get(n),
  ) as [Extended, Extended];
  unit.finish(() => {
    unit.stack.set(0, other);
    unit.stack.set(i, top);
  });
}

const moveIf =
  (code: ConditionCode): ComplexSemantics =>
  (x) => {
    const i = x.registerNumber(0);
    const unit = new X87Unit(x);
    const taken = x.condition(code);
    const value = unit.compute([0, i], () => unit.stack.get(taken ? i : 0));
    unit.finish(() => unit.stack.set(0, value), true);
  };

const constant = (mnemonic: string, encoding: string, name: X87Constant): Row =>
  complexRow(
    mnemonic,
    encoding,
    "",
    X87,
    push(undefined, (_x, env) => constantOf(name, env.rounding)),
  );

const load = (mnemonic: string, encoding: string, letter: string, from: typeof loadSingle): Row =>
  complexRow(
    mnemonic,
    encoding,
    letter,
    X87,
    push(0, (x, env) => loadOperand(env, from(x))),
  );

const truncate = Rounding.towardZero;

export const X87_LOAD_ROWS: readonly Row[] = [
  load("FLD", "D9 /0", "Md", loadSingle),
  load("FLD", "DD /0", "Mq", loadDouble),
  load("FILD", "DF /0", "Mw", loadShort),
  load("FILD", "DB /0", "Md", loadInteger),
  load("FILD", "DF /5", "Mq", loadLong),
  complexRow(
    "FLD",
    "DB /5",
    "Mt",
    X87,
    push(0, (x) => {
      const raw = readTenBytes(x);
      return { significand: BigInt.asUintN(64, raw), signExponent: Number(raw >> 64n) };
    }),
  ),
  complexRow(
    "FBLD",
    "DF /4",
    "Mt",
    X87,
    push(0, (x, env) => {
      const raw = readTenBytes(x);
      const value = loadOperand(env, operandOfBcd(raw));
      return value.significand === 0n ? zero(raw >> 79n === 1n) : value;
    }),
  ),
  complexRow("FLD", "D9 C0 +i", "STi", X87, pushRegister),
  complexRow("FST", "D9 /2", "Md", X87, store(4, false, storeSingle)),
  complexRow("FSTP", "D9 /3", "Md", X87, store(4, true, storeSingle)),
  complexRow("FST", "DD /2", "Mq", X87, store(8, false, storeDouble)),
  complexRow("FSTP", "DD /3", "Mq", X87, store(8, true, storeDouble)),
  complexRow("FSTP", "DB /7", "Mt", X87, store(10, true, whole)),
  complexRow("FBSTP", "DF /6", "Mt", X87, store(10, true, storeBcd)),
  complexRow("FIST", "DF /2", "Mw", X87, store(2, false, integer(16))),
  complexRow("FISTP", "DF /3", "Mw", X87, store(2, true, integer(16))),
  complexRow("FIST", "DB /2", "Md", X87, store(4, false, integer(32))),
  complexRow("FISTP", "DB /3", "Md", X87, store(4, true, integer(32))),
  complexRow("FISTP", "DF /7", "Mq", X87, store(8, true, integer(64))),
  complexRow("FISTTP", "DF /1", "Mw", SSE3, store(2, true, integer(16, truncate))),
  complexRow("FISTTP", "DB /1", "Md", SSE3, store(4, true, integer(32, truncate))),
  complexRow("FISTTP", "DD /1", "Mq", SSE3, store(8, true, integer(64, truncate))),
  complexRow("FST", "DD D0 +i", "STi", X87, storeRegister(false)),
  complexRow("FSTP", "DD D8 +i", "STi", X87, storeRegister(true)),
  complexRow("FXCH", "D9 C8 +i", "STi", X87, exchange),
  // Undocumented second encodings.
  complexRow("FSTPNCE", "D9 D8 +i", "STi", X87, storeUnchecked),
  complexRow("FSTP", "DF D0 +i", "STi", X87, storeRegister(true)),
  complexRow("FSTP", "DF D8 +i", "STi", X87, storeRegister(true)),
  complexRow("FXCH", "DD C8 +i", "STi", X87, exchange),
  complexRow("FXCH", "DF C8 +i", "STi", X87, exchange),
  complexRow("FCMOVB", "DA C0 +i", "STi", X87, moveIf("B")),
  complexRow("FCMOVE", "DA C8 +i", "STi", X87, moveIf("Z")),
  complexRow("FCMOVBE", "DA D0 +i", "STi", X87, moveIf("BE")),
  complexRow("FCMOVU", "DA D8 +i", "STi", X87, moveIf("P")),
  complexRow("FCMOVNB", "DB C0 +i", "STi", X87, moveIf("NB")),
  complexRow("FCMOVNE", "DB C8 +i", "STi", X87, moveIf("NZ")),
  complexRow("FCMOVNBE", "DB D0 +i", "STi", X87, moveIf("NBE")),
  complexRow("FCMOVNU", "DB D8 +i", "STi", X87, moveIf("NP")),
  constant("FLD1", "D9 E8", "one"),
  constant("FLDL2T", "D9 E9", "log2Of10"),
  constant("FLDL2E", "D9 EA", "log2OfE"),
  constant("FLDPI", "D9 EB", "pi"),
  constant("FLDLG2", "D9 EC", "log10Of2"),
  constant("FLDLN2", "D9 ED", "lnOf2"),
  constant("FLDZ", "D9 EE", "zero"),
];
