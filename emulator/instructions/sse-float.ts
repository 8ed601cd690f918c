/** SSE rows that compute in binary32 and binary64: arithmetic, comparison and estimates. */

import type { Execution } from "../execution.ts";
import { BINARY32, BINARY64, type BinaryFormat } from "../fpu/binary.ts";
import {
  add,
  type BinaryOperation,
  compare,
  divide,
  maximum,
  minimum,
  multiply,
  relation,
  squareRoot,
  subtract,
} from "../fpu/binary-arithmetic.ts";
import { reciprocalEstimate, reciprocalRootEstimate } from "../fpu/estimate.ts";
import { type ComplexSemantics, complexRow, type Row, type RowOptions } from "./row.ts";
import { computeSse, joinLanes, mergeLow, splitLanes } from "./sse-exceptions.ts";

const SSE: RowOptions = { unit: "sse", feature: "SSE" };
const SSE2: RowOptions = { unit: "sse", feature: "SSE2" };
const SSE3: RowOptions = { unit: "sse", feature: "SSE3" };

/** What to do in a lane; comparisons take it from their immediate. */
type Chooser = (x: Execution) => BinaryOperation;

const packed =
  (format: BinaryFormat, choose: Chooser): ComplexSemantics =>
  (x) => {
    const source = splitLanes(x.readX(1, true), format.bits);
    const destination = splitLanes(x.readX(0), format.bits);
    const operation = choose(x);
    const lanes = computeSse(x, (env) =>
      destination.map((a, i) => operation(env, format, a, source[i]!)),
    );
    x.writeX(0, joinLanes(lanes, format.bits));
  };

const scalar =
  (format: BinaryFormat, choose: Chooser): ComplexSemantics =>
  (x) => {
    const source = x.read(1);
    const destination = x.readX(0);
    const operation = choose(x);
    const low = BigInt.asUintN(format.bits, destination);
    const result = computeSse(x, (env) => operation(env, format, low, source));
    x.writeX(0, mergeLow(destination, result, format.bits));
  };

/** Even lanes subtract, odd lanes add. */
const addSubtract =
  (format: BinaryFormat): ComplexSemantics =>
  (x) => {
    const source = splitLanes(x.readX(1, true), format.bits);
    const destination = splitLanes(x.readX(0), format.bits);
    const lanes = computeSse(x, (env) =>
      destination.map((a, i) => ((i & 1) === 0 ? subtract : add)(env, format, a, source[i]!)),
    );
    x.writeX(0, joinLanes(lanes, format.bits));
  };

/** Pairs of neighbours: those of the destination below, those of the source above. */
const horizontal =
  (format: BinaryFormat, operation: BinaryOperation): ComplexSemantics =>
  (x) => {
    const source = splitLanes(x.readX(1, true), format.bits);
    const all = [...splitLanes(x.readX(0), format.bits), ...source];
    const lanes = computeSse(x, (env) =>
      source.map((_, i) => operation(env, format, all[2 * i]!, all[2 * i + 1]!)),
    );
    x.writeX(0, joinLanes(lanes, format.bits));
  };

/** COMISx and UCOMISx: unordered sets ZF, PF and CF. */
const compareToFlags =
  (format: BinaryFormat, quietIsInvalid: boolean): ComplexSemantics =>
  (x) => {
    const source = x.read(1);
    const destination = BigInt.asUintN(format.bits, x.readX(0));
    const order = computeSse(x, (env) =>
      relation(env, format, destination, source, quietIsInvalid),
    );
    x.setFlags({
      ZF: order === 0 || order === undefined,
      PF: order === undefined,
      CF: order === -1 || order === undefined,
      OF: false,
      AF: false,
      SF: false,
    });
  };

/** Estimates look at neither MXCSR's masks nor its rounding. */
const packedEstimate =
  (estimate: (raw: bigint) => bigint): ComplexSemantics =>
  (x) =>
    x.writeX(0, joinLanes(splitLanes(x.readX(1, true), 32).map(estimate), 32));

const scalarEstimate =
  (estimate: (raw: bigint) => bigint): ComplexSemantics =>
  (x) => {
    const source = x.read(1);
    x.writeX(0, mergeLow(x.readX(0), estimate(source), 32));
  };

/** The four rows of one operation: PS, PD, SS and SD. */
function quartet(
  name: string,
  opcode: string,
  choose: Chooser,
  immediate: "" | ",Ib" = "",
): readonly Row[] {
  const at = `0F ${opcode} /r`;
  return [
    complexRow(`${name}PS`, `NP ${at}`, `Vx,Wx${immediate}`, SSE, packed(BINARY32, choose)),
    complexRow(`${name}PD`, `66 ${at}`, `Vx,Wx${immediate}`, SSE2, packed(BINARY64, choose)),
    complexRow(`${name}SS`, `F3 ${at}`, `Vx,Wd${immediate}`, SSE, scalar(BINARY32, choose)),
    complexRow(`${name}SD`, `F2 ${at}`, `Vx,Wq${immediate}`, SSE2, scalar(BINARY64, choose)),
  ];
}

const always =
  (operation: BinaryOperation): Chooser =>
  () =>
    operation;

export const SSE_FLOAT_ROWS: readonly Row[] = [
  ...quartet("SQRT", "51", always(squareRoot)),
  ...quartet("ADD", "58", always(add)),
  ...quartet("MUL", "59", always(multiply)),
  ...quartet("SUB", "5C", always(subtract)),
  ...quartet("MIN", "5D", always(minimum)),
  ...quartet("DIV", "5E", always(divide)),
  ...quartet("MAX", "5F", always(maximum)),
  ...quartet("CMP", "C2", (x) => compare(Number(x.read(2) & 7n)), ",Ib"),
  complexRow("UCOMISS", "NP 0F 2E /r", "Vx,Wd", SSE, compareToFlags(BINARY32, false)),
  complexRow("UCOMISD", "66 0F 2E /r", "Vx,Wq", SSE2, compareToFlags(BINARY64, false)),
  complexRow("COMISS", "NP 0F 2F /r", "Vx,Wd", SSE, compareToFlags(BINARY32, true)),
  complexRow("COMISD", "66 0F 2F /r", "Vx,Wq", SSE2, compareToFlags(BINARY64, true)),
  complexRow("RSQRTPS", "NP 0F 52 /r", "Vx,Wx", SSE, packedEstimate(reciprocalRootEstimate)),
  complexRow("RSQRTSS", "F3 0F 52 /r", "Vx,Wd", SSE, scalarEstimate(reciprocalRootEstimate)),
  complexRow("RCPPS", "NP 0F 53 /r", "Vx,Wx", SSE, packedEstimate(reciprocalEstimate)),
  complexRow("RCPSS", "F3 0F 53 /r", "Vx,Wd", SSE, scalarEstimate(reciprocalEstimate)),
  complexRow("ADDSUBPD", "66 0F D0 /r", "Vx,Wx", SSE3, addSubtract(BINARY64)),
  complexRow("ADDSUBPS", "F2 0F D0 /r", "Vx,Wx", SSE3, addSubtract(BINARY32)),
  complexRow("HADDPD", "66 0F 7C /r", "Vx,Wx", SSE3, horizontal(BINARY64, add)),
  complexRow("HADDPS", "F2 0F 7C /r", "Vx,Wx", SSE3, horizontal(BINARY32, add)),
  complexRow("HSUBPD", "66 0F 7D /r", "Vx,Wx", SSE3, horizontal(BINARY64, subtract)),
  complexRow("HSUBPS", "F2 0F 7D /r", "Vx,Wx", SSE3, horizontal(BINARY32, subtract)),
];
