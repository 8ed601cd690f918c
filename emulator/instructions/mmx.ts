/** MMX rows: 64-bit lanes in the significands of the x87 registers. */

import type { Execution } from "../execution.ts";
import { BINARY32, BINARY64, type SseEnvironment } from "../fpu/binary.ts";
import { fromInteger, toInteger } from "../fpu/binary-convert.ts";
import { RegisterStack, tagOf } from "../fpu/register-stack.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { LaneOperation } from "./context.ts";
import { storeMaskedBytes } from "./masked-store.ts";
import { type ComplexSemantics, complexRow, type Row, type RowOptions } from "./row.ts";
import { computeSse, joinLanes, splitLanes } from "./sse-exceptions.ts";
import { type Direction, type LaneBits, shiftLanes } from "./sse-shift.ts";

const MMX: RowOptions = { unit: "mmx", feature: "MMX" };

/** A value of destination and source; the high halves of the 128-bit operands are 0. */
type Operation = (x: Execution, a: bigint, b: bigint) => bigint;

/** TOP becomes 0 and no register is empty (APM volume 5, section 1.5). */
function enterMmx(state: CpuState): void {
  const stack = new RegisterStack(state);
  stack.top = 0;
  let tags = 0;
  for (let i = 0; i < 8; i++) tags |= tagOf(stack.get(i)) << (2 * i);
  state.ftw = tags;
}

/** Writes MMX register operand i: the bits above become ones. */
function writeMmx(x: Execution, i: number, value: bigint): void {
  const { state } = x.cpu;
  const stack = new RegisterStack(state);
  stack.top = 0;
  stack.setContents(x.registerNumber(i) & 7, { significand: value, signExponent: 0xffff });
  enterMmx(state);
}

const compute =
  (operation: Operation): ComplexSemantics =>
  (x) => {
    const source = x.read(1);
    writeMmx(x, 0, operation(x, x.read(0), source));
  };

const lane =
  (operation: LaneOperation): Operation =>
  (x, a, b) =>
    x.lowX(x.lanes(operation, a, b));

const pack =
  (operation: LaneOperation): Operation =>
  (x, a, b) =>
    x.lowX(x.lanes(operation, x.makeX(a, b), 0n));

/** Lanes of both operands in turn: from their low or high halves. */
const unpack =
  (bytes: number, half: "low" | "high"): Operation =>
  (x, a, b) => {
    const indexes: number[] = [];
    for (let at = 0; at < 8; at += bytes) {
      for (const from of [0, 16]) for (let i = 0; i < bytes; i++) indexes.push(from + at + i);
    }
    const all = x.shuffleX(a, b, indexes);
    return half === "low" ? x.lowX(all) : x.highX(all);
  };

const words = (value: bigint): bigint[] => splitLanes(value, 16).slice(0, 4);

const multiplyHigh =
  (signed: boolean): Operation =>
  (_x, a, b) => {
    const value = (word: bigint): bigint => (signed ? BigInt.asIntN(16, word) : word);
    const second = words(b);
    const high = words(a).map((word, i) => {
      return BigInt.asUintN(16, (value(word) * value(second[i]!)) >> 16n);
    });
    return joinLanes(high, 16);
  };

const sumOfDifferences: Operation = (_x, a, b) => {
  const second = splitLanes(b, 8);
  return splitLanes(a, 8).reduce((sum, byte, i) => {
    const difference = byte - second[i]!;
    return sum + (difference < 0n ? -difference : difference);
  }, 0n);
};

const shift =
  (bits: LaneBits, direction: Direction): Operation =>
  (x, a, b) =>
    x.lowX(shiftLanes(x, a, b, bits, direction));

const shiftByImmediate =
  (bits: LaneBits, direction: Direction): ComplexSemantics =>
  (x) => {
    const count = x.read(1) & 0xffn;
    writeMmx(x, 0, x.lowX(shiftLanes(x, x.read(0), count, bits, direction)));
  };

/** Operand 1 as it is: MOVD and MOVQ. */
const load: ComplexSemantics = (x) => writeMmx(x, 0, x.read(1));

/** From the MMX register that is operand 1. */
function store(x: Execution): void {
  x.write(0, x.read(1));
  enterMmx(x.cpu.state);
}

function storeQuad(x: Execution): void {
  const value = x.read(1);
  if (!x.isMemory(0)) {
    writeMmx(x, 0, value);
    return;
  }
  x.write(0, value);
  enterMmx(x.cpu.state);
}

function shuffleWords(x: Execution): void {
  const source = words(x.read(1));
  const selector = Number(x.read(2) & 0xffn);
  const chosen = [0, 2, 4, 6].map((at) => source[(selector >> at) & 3]!);
  writeMmx(x, 0, joinLanes(chosen, 16));
}

function insertWord(x: Execution): void {
  const value = x.read(1);
  const at = 16n * (x.read(2) & 3n);
  writeMmx(x, 0, (x.read(0) & ~(0xffffn << at)) | (value << at));
}

function extractWord(x: Execution): void {
  const at = 16n * (x.read(2) & 3n);
  x.write(0, (x.read(1) >> at) & 0xffffn);
  enterMmx(x.cpu.state);
}

function moveMask(x: Execution): void {
  x.write(0, x.byteMask(x.read(1)));
  enterMmx(x.cpu.state);
}

/** MASKMOVQ: as MASKMOVDQU, on eight bytes. */
function storeMasked(x: Execution): void {
  storeMaskedBytes(x, x.read(0), x.byteMask(x.read(1)), 8);
  enterMmx(x.cpu.state);
}

/** Two lanes of `fromBits`, the lowest of operand 1. */
function convertPair(
  x: Execution,
  fromBits: 32 | 64,
  toBits: 32 | 64,
  convert: (env: SseEnvironment, raw: bigint) => bigint,
): bigint {
  const source = x.sizeOf(1) === 8 ? x.read(1) : x.readX(1, true);
  const lanes = computeSse(x, (env) =>
    splitLanes(source, fromBits)
      .slice(0, 2)
      .map((raw) => convert(env, raw)),
  );
  return joinLanes(lanes, toBits);
}

const toIntegers =
  (from: typeof BINARY32, truncate: boolean): ComplexSemantics =>
  (x) => {
    const bits = from === BINARY32 ? 32 : 64;
    const result = convertPair(x, bits, 32, (env, raw) => toInteger(env, from, raw, 32, truncate));
    writeMmx(x, 0, result);
  };

function singlesOfIntegers(x: Execution): void {
  const low = convertPair(x, 32, 32, (env, raw) => fromInteger(env, BINARY32, raw, 32));
  x.writeX(0, x.makeX(low, x.highX(x.readX(0))));
  enterMmx(x.cpu.state);
}

/** Only the register form touches the x87 state. */
function doublesOfIntegers(x: Execution): void {
  x.writeX(
    0,
    convertPair(x, 32, 64, (env, raw) => fromInteger(env, BINARY64, raw, 32)),
  );
  if (!x.isMemory(1)) enterMmx(x.cpu.state);
}

const of = (mnemonic: string, opcode: string, operation: Operation, source = "Qq"): Row =>
  complexRow(mnemonic, `NP 0F ${opcode} /r`, `Pq,${source}`, MMX, compute(operation));

const lanes = (mnemonic: string, opcode: string, operation: LaneOperation): Row =>
  of(mnemonic, opcode, lane(operation));

const immediate = (mnemonic: string, opcode: string, bits: LaneBits, direction: Direction): Row =>
  complexRow(mnemonic, `NP 0F ${opcode}`, "Nq,Ib", MMX, shiftByImmediate(bits, direction));

export const MMX_ROWS: readonly Row[] = [
  // Linux runs EMMS before FXRSTOR on AMD's CPUs, whatever CPUID says of MMX.
  complexRow("EMMS", "NP 0F 77", "", { unit: "mmx" }, (x) => {
    new RegisterStack(x.cpu.state).top = 0;
    x.cpu.state.ftw = 0xffff;
  }),
  complexRow("MOVD", "NP 0F 6E /r", "Pq,Ey", MMX, load),
  complexRow("MOVD", "NP 0F 7E /r", "Ey,Pq", MMX, store),
  complexRow("MOVQ", "NP 0F 6F /r", "Pq,Qq", MMX, load),
  complexRow("MOVQ", "NP 0F 7F /r", "Qq,Pq", MMX, storeQuad),
  complexRow("MOVNTQ", "NP 0F E7 /r", "Mq,Pq", MMX, storeQuad),
  complexRow("MOVDQ2Q", "F2 0F D6 /r", "Pq,Uq", MMX, load),
  complexRow("MOVQ2DQ", "F3 0F D6 /r", "Vx,Nq", MMX, (x) => {
    x.writeX(0, x.read(1));
    enterMmx(x.cpu.state);
  }),
  lanes("PADDB", "FC", "i8x16.add"),
  lanes("PADDW", "FD", "i16x8.add"),
  lanes("PADDD", "FE", "i32x4.add"),
  lanes("PADDQ", "D4", "i64x2.add"),
  lanes("PSUBB", "F8", "i8x16.sub"),
  lanes("PSUBW", "F9", "i16x8.sub"),
  lanes("PSUBD", "FA", "i32x4.sub"),
  lanes("PSUBQ", "FB", "i64x2.sub"),
  lanes("PADDSB", "EC", "i8x16.add_sat_s"),
  lanes("PADDSW", "ED", "i16x8.add_sat_s"),
  lanes("PADDUSB", "DC", "i8x16.add_sat_u"),
  lanes("PADDUSW", "DD", "i16x8.add_sat_u"),
  lanes("PSUBSB", "E8", "i8x16.sub_sat_s"),
  lanes("PSUBSW", "E9", "i16x8.sub_sat_s"),
  lanes("PSUBUSB", "D8", "i8x16.sub_sat_u"),
  lanes("PSUBUSW", "D9", "i16x8.sub_sat_u"),
  lanes("PAVGB", "E0", "i8x16.avgr_u"),
  lanes("PAVGW", "E3", "i16x8.avgr_u"),
  lanes("PMINUB", "DA", "i8x16.min_u"),
  lanes("PMAXUB", "DE", "i8x16.max_u"),
  lanes("PMINSW", "EA", "i16x8.min_s"),
  lanes("PMAXSW", "EE", "i16x8.max_s"),
  lanes("PCMPEQB", "74", "i8x16.eq"),
  lanes("PCMPEQW", "75", "i16x8.eq"),
  lanes("PCMPEQD", "76", "i32x4.eq"),
  lanes("PCMPGTB", "64", "i8x16.gt_s"),
  lanes("PCMPGTW", "65", "i16x8.gt_s"),
  lanes("PCMPGTD", "66", "i32x4.gt_s"),
  lanes("PMULLW", "D5", "i16x8.mul"),
  lanes("PMADDWD", "F5", "i32x4.dot_i16x8_s"),
  of("PMULHW", "E5", multiplyHigh(true)),
  of("PMULHUW", "E4", multiplyHigh(false)),
  of("PMULUDQ", "F4", (_x, a, b) => BigInt.asUintN(32, a) * BigInt.asUintN(32, b)),
  of("PSADBW", "F6", sumOfDifferences),
  of("PAND", "DB", (_x, a, b) => a & b),
  of("PANDN", "DF", (_x, a, b) => b & ~a),
  of("POR", "EB", (_x, a, b) => a | b),
  of("PXOR", "EF", (_x, a, b) => a ^ b),
  of("PACKSSWB", "63", pack("i8x16.narrow_i16x8_s")),
  of("PACKUSWB", "67", pack("i8x16.narrow_i16x8_u")),
  of("PACKSSDW", "6B", pack("i16x8.narrow_i32x4_s")),
  of("PUNPCKLBW", "60", unpack(1, "low"), "Qd"),
  of("PUNPCKLWD", "61", unpack(2, "low"), "Qd"),
  of("PUNPCKLDQ", "62", unpack(4, "low"), "Qd"),
  of("PUNPCKHBW", "68", unpack(1, "high")),
  of("PUNPCKHWD", "69", unpack(2, "high")),
  of("PUNPCKHDQ", "6A", unpack(4, "high")),
  of("PSRLW", "D1", shift(16, "right")),
  of("PSRLD", "D2", shift(32, "right")),
  of("PSRLQ", "D3", shift(64, "right")),
  of("PSRAW", "E1", shift(16, "rightSigned")),
  of("PSRAD", "E2", shift(32, "rightSigned")),
  of("PSLLW", "F1", shift(16, "left")),
  of("PSLLD", "F2", shift(32, "left")),
  of("PSLLQ", "F3", shift(64, "left")),
  immediate("PSRLW", "71 /2", 16, "right"),
  immediate("PSRAW", "71 /4", 16, "rightSigned"),
  immediate("PSLLW", "71 /6", 16, "left"),
  immediate("PSRLD", "72 /2", 32, "right"),
  immediate("PSRAD", "72 /4", 32, "rightSigned"),
  immediate("PSLLD", "72 /6", 32, "left"),
  immediate("PSRLQ", "73 /2", 64, "right"),
  immediate("PSLLQ", "73 /6", 64, "left"),
  complexRow("PSHUFW", "NP 0F 70 /r", "Pq,Qq,Ib", MMX, shuffleWords),
  complexRow("PINSRW", "NP 0F C4 /r", "Pq,Ew,Ib", MMX, insertWord),
  complexRow("PEXTRW", "NP 0F C5 /r", "Gy,Nq,Ib", MMX, extractWord),
  complexRow("PMOVMSKB", "NP 0F D7 /r", "Gy,Nq", MMX, moveMask),
  complexRow("MASKMOVQ", "NP 0F F7 /r", "Pq,Nq", MMX, storeMasked),
  complexRow("CVTPI2PS", "NP 0F 2A /r", "Vx,Qq", MMX, singlesOfIntegers),
  complexRow("CVTPI2PD", "66 0F 2A /r", "Vx,Qq", MMX, doublesOfIntegers),
  complexRow("CVTTPS2PI", "NP 0F 2C /r", "Pq,Wq", MMX, toIntegers(BINARY32, true)),
  complexRow("CVTPS2PI", "NP 0F 2D /r", "Pq,Wq", MMX, toIntegers(BINARY32, false)),
  complexRow("CVTTPD2PI", "66 0F 2C /r", "Pq,Wx", MMX, toIntegers(BINARY64, true)),
  complexRow("CVTPD2PI", "66 0F 2D /r", "Pq,Wx", MMX, toIntegers(BINARY64, false)),
];
