/** SSE rows that convert between binary32, binary64 and integers. */

import { BINARY32, BINARY64, type BinaryFormat, type SseEnvironment } from "../fpu/binary.ts";
import { fromInteger, toDouble, toInteger, toSingle } from "../fpu/binary-convert.ts";
import { type ComplexSemantics, complexRow, type Row, type RowOptions } from "./row.ts";
import { computeSse, joinLanes, mergeLow, splitLanes } from "./sse-exceptions.ts";

const SSE: RowOptions = { unit: "sse", feature: "SSE" };
const SSE2: RowOptions = { unit: "sse", feature: "SSE2" };

type Convert = (env: SseEnvironment, raw: bigint) => bigint;

/** Converts as many lanes as both sides have room for; the rest of the destination is cleared. */
const packed =
  (fromBits: 32 | 64, toBits: 32 | 64, convert: Convert): ComplexSemantics =>
  (x) => {
    const source = x.sizeOf(1) === 8 ? x.read(1) : x.readX(1, true);
    const count = 128 / Math.max(fromBits, toBits);
    const lanes = computeSse(x, (env) =>
      splitLanes(source, fromBits)
        .slice(0, count)
        .map((lane) => convert(env, lane)),
    );
    x.writeX(0, joinLanes(lanes, toBits));
  };

/** Operand 1 to the low lane of register operand 0. */
const scalar =
  (toBits: 32 | 64, convert: Convert): ComplexSemantics =>
  (x) => {
    const source = x.read(1);
    const result = computeSse(x, (env) => convert(env, source));
    x.writeX(0, mergeLow(x.readX(0), result, toBits));
  };

const scalarFromInteger =
  (format: BinaryFormat): ComplexSemantics =>
  (x) => {
    const bits = x.sizeOf(1) === 8 ? 64 : 32;
    const source = x.read(1);
    const result = computeSse(x, (env) => fromInteger(env, format, source, bits));
    x.writeX(0, mergeLow(x.readX(0), result, format.bits));
  };

const scalarToInteger =
  (format: BinaryFormat, truncate: boolean): ComplexSemantics =>
  (x) => {
    const bits = x.sizeOf(0) === 8 ? 64 : 32;
    const source = x.read(1);
    x.write(
      0,
      computeSse(x, (env) => toInteger(env, format, source, bits, truncate)),
    );
  };

const integersOf =
  (format: BinaryFormat, truncate: boolean): Convert =>
  (env, raw) =>
    toInteger(env, format, raw, 32, truncate);

const floatsOf =
  (format: BinaryFormat): Convert =>
  (env, raw) =>
    fromInteger(env, format, raw, 32);

export const SSE_CONVERT_ROWS: readonly Row[] = [
  complexRow("CVTSI2SS", "F3 0F 2A /r", "Vx,Ey", SSE, scalarFromInteger(BINARY32)),
  complexRow("CVTSI2SD", "F2 0F 2A /r", "Vx,Ey", SSE2, scalarFromInteger(BINARY64)),
  complexRow("CVTTSS2SI", "F3 0F 2C /r", "Gy,Wd", SSE, scalarToInteger(BINARY32, true)),
  complexRow("CVTTSD2SI", "F2 0F 2C /r", "Gy,Wq", SSE2, scalarToInteger(BINARY64, true)),
  complexRow("CVTSS2SI", "F3 0F 2D /r", "Gy,Wd", SSE, scalarToInteger(BINARY32, false)),
  complexRow("CVTSD2SI", "F2 0F 2D /r", "Gy,Wq", SSE2, scalarToInteger(BINARY64, false)),
  complexRow("CVTSS2SD", "F3 0F 5A /r", "Vx,Wd", SSE2, scalar(64, toDouble)),
  complexRow("CVTSD2SS", "F2 0F 5A /r", "Vx,Wq", SSE2, scalar(32, toSingle)),
  complexRow("CVTPS2PD", "NP 0F 5A /r", "Vx,Wq", SSE2, packed(32, 64, toDouble)),
  complexRow("CVTPD2PS", "66 0F 5A /r", "Vx,Wx", SSE2, packed(64, 32, toSingle)),
  complexRow("CVTDQ2PS", "NP 0F 5B /r", "Vx,Wx", SSE2, packed(32, 32, floatsOf(BINARY32))),
  complexRow("CVTPS2DQ", "66 0F 5B /r", "Vx,Wx", SSE2, packed(32, 32, integersOf(BINARY32, false))),
  complexRow("CVTTPS2DQ", "F3 0F 5B /r", "Vx,Wx", SSE2, packed(32, 32, integersOf(BINARY32, true))),
  complexRow("CVTDQ2PD", "F3 0F E6 /r", "Vx,Wq", SSE2, packed(32, 64, floatsOf(BINARY64))),
  complexRow("CVTPD2DQ", "F2 0F E6 /r", "Vx,Wx", SSE2, packed(64, 32, integersOf(BINARY64, false))),
  complexRow("CVTTPD2DQ", "66 0F E6 /r", "Vx,Wx", SSE2, packed(64, 32, integersOf(BINARY64, true))),
];
