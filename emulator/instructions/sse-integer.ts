/** SSE2 rows over integer lanes: arithmetic, comparison, logic, packing and shuffles. */

import type { Context, LaneOperation } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const SSE: RowOptions = { unit: "sse", feature: "SSE" };
const SSE2: RowOptions = { unit: "sse", feature: "SSE2" };

/** destination = operation(destination, source). */
const lanewise =
  (operation: LaneOperation): Semantics =>
  (c) => {
    const source = c.readX(1, true);
    c.writeX(0, c.lanes(operation, c.readX(0), source));
  };

/** destination = source & ~destination. */
const andNot: Semantics = (c) => {
  const source = c.readX(1, true);
  c.writeX(0, c.lanes("v128.andnot", source, c.readX(0)));
};

/** Fixed shuffle of destination (bytes 0-15) and source (16-31). */
const shuffle =
  (indexes: readonly number[]): Semantics =>
  (c) => {
    const source = c.readX(1, true);
    c.writeX(0, c.shuffleX(c.readX(0), source, indexes));
  };

/** Byte indexes that interleave lanes of `bytes` from the low or high halves of two values. */
function interleave(bytes: number, half: "low" | "high"): number[] {
  const base = half === "low" ? 0 : 8;
  const indexes: number[] = [];
  for (let lane = base; lane < base + 8; lane += bytes) {
    for (const from of [0, 16]) {
      for (let i = 0; i < bytes; i++) indexes.push(from + lane + i);
    }
  }
  return indexes;
}

/** Lane i of the result: the high 16 bits of 32-bit products. */
const multiplyHighWords =
  (sign: "s" | "u"): Semantics =>
  (c) => {
    const source = c.readX(1, true);
    const destination = c.readX(0);
    const low = c.lanes(`i32x4.extmul_low_i16x8_${sign}`, destination, source);
    const high = c.lanes(`i32x4.extmul_high_i16x8_${sign}`, destination, source);
    const indexes = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
    c.writeX(0, c.shuffleX(low, high, indexes));
  };

/** Product of the low 32 bits of two values. */
function productOfDwords<V, B, X>(c: Context<V, B, X>, a: V, b: V): V {
  return c.mul(c.zeroExtend(a, 4), c.zeroExtend(b, 4));
}

/** 64-bit products of the even 32-bit lanes. */
const multiplyEvenDwords: Semantics = (c) => {
  const source = c.readX(1, true);
  const destination = c.readX(0);
  const low = productOfDwords(c, c.lowX(destination), c.lowX(source));
  const high = productOfDwords(c, c.highX(destination), c.highX(source));
  c.writeX(0, c.makeX(low, high));
};

/** Sum of the eight bytes of a value: in pairs, then by a multiplication that adds four words. */
function sumOfBytes<V, B, X>(c: Context<V, B, X>, a: V): V {
  const mask = c.constant(0x00ff00ff00ff00ffn);
  const pairs = c.add(c.and(a, mask), c.and(c.shiftRight(a, c.constant(8)), mask));
  return c.shiftRight(c.mul(pairs, c.constant(0x0001000100010001n)), c.constant(48));
}

const sumOfDifferences: Semantics = (c) => {
  const source = c.readX(1, true);
  const destination = c.readX(0);
  const difference = c.lanes(
    "i8x16.sub",
    c.lanes("i8x16.max_u", destination, source),
    c.lanes("i8x16.min_u", destination, source),
  );
  c.writeX(0, c.makeX(sumOfBytes(c, c.lowX(difference)), sumOfBytes(c, c.highX(difference))));
};

/** Dword of `from` that bits [at+1:at] of the immediate choose. */
function chosenDword<V, B, X>(c: Context<V, B, X>, from: X, selector: V, at: number): V {
  const half = c.select(c.bit(selector, at + 1), c.highX(from), c.lowX(from));
  const amount = c.select(c.bit(selector, at), c.constant(32), c.constant(0));
  return c.and(c.shiftRight(half, amount), c.constant(0xffffffffn));
}

/** Two chosen dwords of `from`, by the selector's four bits at `at`. */
function chosenPair<V, B, X>(c: Context<V, B, X>, from: X, selector: V, at: number): V {
  const upper = c.shiftLeft(chosenDword(c, from, selector, at + 2), c.constant(32));
  return c.or(chosenDword(c, from, selector, at), upper);
}

/** The four words of `half`, each chosen by two bits of the selector. */
function chosenWords<V, B, X>(c: Context<V, B, X>, half: V, selector: V): V {
  const word = (lane: number): V => {
    const bits = c.and(c.shiftRight(selector, c.constant(2 * lane)), c.constant(3));
    const value = c.shiftRight(half, c.shiftLeft(bits, c.constant(4)));
    return c.shiftLeft(c.and(value, c.constant(0xffff)), c.constant(16 * lane));
  };
  return c.or(c.or(word(0), word(1)), c.or(word(2), word(3)));
}

const shuffleDwords: Semantics = (c) => {
  const source = c.readX(1, true);
  const selector = c.read(2);
  c.writeX(0, c.makeX(chosenPair(c, source, selector, 0), chosenPair(c, source, selector, 4)));
};

const shuffleSingles: Semantics = (c) => {
  const source = c.readX(1, true);
  const selector = c.read(2);
  c.writeX(0, c.makeX(chosenPair(c, c.readX(0), selector, 0), chosenPair(c, source, selector, 4)));
};

const shuffleDoubles: Semantics = (c) => {
  const source = c.readX(1, true);
  const destination = c.readX(0);
  const selector = c.read(2);
  c.writeX(
    0,
    c.makeX(
      c.select(c.bit(selector, 0), c.highX(destination), c.lowX(destination)),
      c.select(c.bit(selector, 1), c.highX(source), c.lowX(source)),
    ),
  );
};

const shuffleLowWords: Semantics = (c) => {
  const source = c.readX(1, true);
  c.writeX(0, c.makeX(chosenWords(c, c.lowX(source), c.read(2)), c.highX(source)));
};

const shuffleHighWords: Semantics = (c) => {
  const source = c.readX(1, true);
  c.writeX(0, c.makeX(c.lowX(source), chosenWords(c, c.highX(source), c.read(2))));
};

/** PINSRW: replaces the word that the immediate's low three bits name. */
const insertWord: Semantics = (c) => {
  const value = c.read(1);
  const selector = c.read(2);
  const before = c.readX(0);
  const amount = c.shiftLeft(c.and(selector, c.constant(3)), c.constant(4));
  const mask = c.not(c.shiftLeft(c.constant(0xffff), amount));
  const placed = c.shiftLeft(value, amount);
  const low = c.or(c.and(c.lowX(before), mask), placed);
  const high = c.or(c.and(c.highX(before), mask), placed);
  const inHigh = c.bit(selector, 2);
  c.writeX(
    0,
    c.makeX(c.select(inHigh, c.lowX(before), low), c.select(inHigh, high, c.highX(before))),
  );
};

const extractWord: Semantics = (c) => {
  const source = c.readX(1);
  const selector = c.read(2);
  const half = c.select(c.bit(selector, 2), c.highX(source), c.lowX(source));
  const amount = c.shiftLeft(c.and(selector, c.constant(3)), c.constant(4));
  c.write(0, c.and(c.shiftRight(half, amount), c.constant(0xffff)));
};

const lane = (
  mnemonic: string,
  opcode: string,
  operation: LaneOperation,
  options: RowOptions = SSE2,
): Row => row(mnemonic, `66 0F ${opcode} /r`, "Vx,Wx", options, lanewise(operation));

const unpack = (
  mnemonic: string,
  encoding: string,
  bytes: number,
  half: "low" | "high",
  options: RowOptions = SSE2,
): Row => row(mnemonic, encoding, "Vx,Wx", options, shuffle(interleave(bytes, half)));

export const SSE_INTEGER_ROWS: readonly Row[] = [
  lane("PADDB", "FC", "i8x16.add", SSE2),
  lane("PADDW", "FD", "i16x8.add", SSE2),
  lane("PADDD", "FE", "i32x4.add", SSE2),
  lane("PADDQ", "D4", "i64x2.add", SSE2),
  lane("PSUBB", "F8", "i8x16.sub", SSE2),
  lane("PSUBW", "F9", "i16x8.sub"),
  lane("PSUBD", "FA", "i32x4.sub", SSE2),
  lane("PSUBQ", "FB", "i64x2.sub"),
  lane("PADDSB", "EC", "i8x16.add_sat_s"),
  lane("PADDSW", "ED", "i16x8.add_sat_s"),
  lane("PADDUSB", "DC", "i8x16.add_sat_u"),
  lane("PADDUSW", "DD", "i16x8.add_sat_u"),
  lane("PSUBSB", "E8", "i8x16.sub_sat_s"),
  lane("PSUBSW", "E9", "i16x8.sub_sat_s"),
  lane("PSUBUSB", "D8", "i8x16.sub_sat_u"),
  lane("PSUBUSW", "D9", "i16x8.sub_sat_u"),
  lane("PAVGB", "E0", "i8x16.avgr_u"),
  lane("PAVGW", "E3", "i16x8.avgr_u"),
  lane("PMINUB", "DA", "i8x16.min_u", SSE2),
  lane("PMAXUB", "DE", "i8x16.max_u"),
  lane("PMINSW", "EA", "i16x8.min_s"),
  lane("PMAXSW", "EE", "i16x8.max_s"),
  lane("PCMPEQB", "74", "i8x16.eq", SSE2),
  lane("PCMPEQW", "75", "i16x8.eq"),
  lane("PCMPEQD", "76", "i32x4.eq", SSE2),
  lane("PCMPGTB", "64", "i8x16.gt_s"),
  lane("PCMPGTW", "65", "i16x8.gt_s"),
  lane("PCMPGTD", "66", "i32x4.gt_s"),
  lane("PMULLW", "D5", "i16x8.mul"),
  row("PMULHW", "66 0F E5 /r", "Vx,Wx", SSE2, multiplyHighWords("s")),
  row("PMULHUW", "66 0F E4 /r", "Vx,Wx", SSE2, multiplyHighWords("u")),
  row("PMULUDQ", "66 0F F4 /r", "Vx,Wx", SSE2, multiplyEvenDwords),
  lane("PMADDWD", "F5", "i32x4.dot_i16x8_s"),
  row("PSADBW", "66 0F F6 /r", "Vx,Wx", SSE2, sumOfDifferences),

  lane("PAND", "DB", "v128.and", SSE2),
  row("PANDN", "66 0F DF /r", "Vx,Wx", SSE2, andNot),
  lane("POR", "EB", "v128.or", SSE2),
  lane("PXOR", "EF", "v128.xor", SSE2),
  row("ANDPS", "NP 0F 54 /r", "Vx,Wx", SSE, lanewise("v128.and")),
  row("ANDNPS", "NP 0F 55 /r", "Vx,Wx", SSE, andNot),
  row("ORPS", "NP 0F 56 /r", "Vx,Wx", SSE, lanewise("v128.or")),
  row("XORPS", "NP 0F 57 /r", "Vx,Wx", SSE, lanewise("v128.xor")),
  row("ANDPD", "66 0F 54 /r", "Vx,Wx", SSE2, lanewise("v128.and")),
  row("ANDNPD", "66 0F 55 /r", "Vx,Wx", SSE2, andNot),
  row("ORPD", "66 0F 56 /r", "Vx,Wx", SSE2, lanewise("v128.or")),
  row("XORPD", "66 0F 57 /r", "Vx,Wx", SSE2, lanewise("v128.xor")),

  lane("PACKSSWB", "63", "i8x16.narrow_i16x8_s"),
  lane("PACKUSWB", "67", "i8x16.narrow_i16x8_u"),
  lane("PACKSSDW", "6B", "i16x8.narrow_i32x4_s"),
  unpack("PUNPCKLBW", "66 0F 60 /r", 1, "low", SSE2),
  unpack("PUNPCKLWD", "66 0F 61 /r", 2, "low", SSE2),
  unpack("PUNPCKLDQ", "66 0F 62 /r", 4, "low", SSE2),
  unpack("PUNPCKLQDQ", "66 0F 6C /r", 8, "low", SSE2),
  unpack("PUNPCKHBW", "66 0F 68 /r", 1, "high"),
  unpack("PUNPCKHWD", "66 0F 69 /r", 2, "high"),
  unpack("PUNPCKHDQ", "66 0F 6A /r", 4, "high"),
  unpack("PUNPCKHQDQ", "66 0F 6D /r", 8, "high"),
  unpack("UNPCKLPS", "NP 0F 14 /r", 4, "low", SSE),
  unpack("UNPCKHPS", "NP 0F 15 /r", 4, "high", SSE),
  unpack("UNPCKLPD", "66 0F 14 /r", 8, "low"),
  unpack("UNPCKHPD", "66 0F 15 /r", 8, "high"),

  row("PSHUFD", "66 0F 70 /r", "Vx,Wx,Ib", SSE2, shuffleDwords),
  row("PSHUFLW", "F2 0F 70 /r", "Vx,Wx,Ib", SSE2, shuffleLowWords),
  row("PSHUFHW", "F3 0F 70 /r", "Vx,Wx,Ib", SSE2, shuffleHighWords),
  row("SHUFPS", "NP 0F C6 /r", "Vx,Wx,Ib", SSE, shuffleSingles),
  row("SHUFPD", "66 0F C6 /r", "Vx,Wx,Ib", SSE2, shuffleDoubles),
  row("PINSRW", "66 0F C4 /r", "Vx,Ew,Ib", SSE2, insertWord),
  row("PEXTRW", "66 0F C5 /r", "Gy,Ux,Ib", SSE2, extractWord),
];
