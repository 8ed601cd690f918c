/** SSE2 rows that shift lanes, by an immediate or by the low 64 bits of a register or memory. */

import type { Context } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const SSE2: RowOptions = { unit: "sse", feature: "SSE2" };

export type LaneBits = 16 | 32 | 64;
export type Direction = "left" | "right" | "rightSigned";

/** 1 in each lane of a 64-bit value. */
const ONES: Record<LaneBits, bigint> = { 16: 0x0001000100010001n, 32: 0x0000000100000001n, 64: 1n };

/**
 * What a count below the lane width does to each half: shift all lanes at once, then mask off the
 * bits that crossed into a neighbour. `lane` has the ones of one lane.
 */
function logicalShift<V, B, X>(
  c: Context<V, B, X>,
  half: V,
  count: V,
  bits: LaneBits,
  left: boolean,
): V {
  const shift = (a: V): V => (left ? c.shiftLeft(a, count) : c.shiftRight(a, count));
  const moved = shift(half);
  if (bits === 64) return moved;
  const lane = c.constant((1n << BigInt(bits)) - 1n);
  const kept = c.and(shift(lane), lane);
  return c.and(moved, c.mul(kept, c.constant(ONES[bits])));
}

/** Copies of each lane's sign in its top `count` bits (count below the lane width). */
function signFill<V, B, X>(c: Context<V, B, X>, half: V, count: V, bits: LaneBits): V {
  const ones = c.constant(ONES[bits]);
  const lane = c.constant((1n << BigInt(bits)) - 1n);
  const signs = c.and(c.shiftRight(half, c.constant(bits - 1)), ones);
  const top = c.and(c.not(c.shiftRight(lane, count)), lane);
  return c.mul(signs, top);
}

/** All lanes by one count; counts of the lane width and more clear them, or fill them with signs. */
export function shiftLanes<V, B, X>(
  c: Context<V, B, X>,
  value: X,
  count: V,
  bits: LaneBits,
  direction: Direction,
): X {
  const inRange = c.below(count, c.constant(bits));
  if (direction === "rightSigned") {
    const amount = c.select(inRange, count, c.constant(bits - 1));
    const half = (v: V): V =>
      c.or(logicalShift(c, v, amount, bits, false), signFill(c, v, amount, bits));
    return c.makeX(half(c.lowX(value)), half(c.highX(value)));
  }
  const half = (v: V): V =>
    c.select(inRange, logicalShift(c, v, count, bits, direction === "left"), c.constant(0));
  return c.makeX(half(c.lowX(value)), half(c.highX(value)));
}

const byRegister =
  (bits: LaneBits, direction: Direction): Semantics =>
  (c) => {
    const count = c.lowX(c.readX(1, true));
    c.writeX(0, shiftLanes(c, c.readX(0), count, bits, direction));
  };

const byImmediate =
  (bits: LaneBits, direction: Direction): Semantics =>
  (c) => {
    const count = c.and(c.read(1), c.constant(0xff));
    c.writeX(0, shiftLanes(c, c.readX(0), count, bits, direction));
  };

/**
 * PSLLDQ: n bytes, all zero from 16 on. Amounts are taken modulo 64 by the context, so 8n is right
 * within a half and across both; the carry into the high half is split so that n = 0 carries none.
 */
const shiftBytesLeft: Semantics = (c) => {
  const count = c.and(c.read(1), c.constant(0xff));
  const value = c.readX(0);
  const bits = c.shiftLeft(count, c.constant(3));
  const zero = c.constant(0);
  const low = c.shiftLeft(c.lowX(value), bits);
  const carried = c.shiftRight(
    c.shiftRight(c.lowX(value), c.constant(1)),
    c.sub(c.constant(63), bits),
  );
  const high = c.or(c.shiftLeft(c.highX(value), bits), carried);
  const withinHalf = c.below(count, c.constant(8));
  const newHigh = c.select(withinHalf, high, low);
  c.writeX(
    0,
    c.makeX(
      c.select(withinHalf, low, zero),
      c.select(c.below(count, c.constant(16)), newHigh, zero),
    ),
  );
};

/** PSRLDQ: the mirror image. */
const shiftBytesRight: Semantics = (c) => {
  const count = c.and(c.read(1), c.constant(0xff));
  const value = c.readX(0);
  const bits = c.shiftLeft(count, c.constant(3));
  const zero = c.constant(0);
  const high = c.shiftRight(c.highX(value), bits);
  const carried = c.shiftLeft(
    c.shiftLeft(c.highX(value), c.constant(1)),
    c.sub(c.constant(63), bits),
  );
  const low = c.or(c.shiftRight(c.lowX(value), bits), carried);
  const withinHalf = c.below(count, c.constant(8));
  const newLow = c.select(withinHalf, low, high);
  c.writeX(
    0,
    c.makeX(
      c.select(c.below(count, c.constant(16)), newLow, zero),
      c.select(withinHalf, high, zero),
    ),
  );
};

export const SSE_SHIFT_ROWS: readonly Row[] = [
  row("PSRLW", "66 0F D1 /r", "Vx,Wx", SSE2, byRegister(16, "right")),
  row("PSRLD", "66 0F D2 /r", "Vx,Wx", SSE2, byRegister(32, "right")),
  row("PSRLQ", "66 0F D3 /r", "Vx,Wx", SSE2, byRegister(64, "right")),
  row("PSRAW", "66 0F E1 /r", "Vx,Wx", SSE2, byRegister(16, "rightSigned")),
  row("PSRAD", "66 0F E2 /r", "Vx,Wx", SSE2, byRegister(32, "rightSigned")),
  row("PSLLW", "66 0F F1 /r", "Vx,Wx", SSE2, byRegister(16, "left")),
  row("PSLLD", "66 0F F2 /r", "Vx,Wx", SSE2, byRegister(32, "left")),
  row("PSLLQ", "66 0F F3 /r", "Vx,Wx", SSE2, byRegister(64, "left")),
  row("PSRLW", "66 0F 71 /2", "Ux,Ib", SSE2, byImmediate(16, "right")),
  row("PSRAW", "66 0F 71 /4", "Ux,Ib", SSE2, byImmediate(16, "rightSigned")),
  row("PSLLW", "66 0F 71 /6", "Ux,Ib", SSE2, byImmediate(16, "left")),
  row("PSRLD", "66 0F 72 /2", "Ux,Ib", SSE2, byImmediate(32, "right")),
  row("PSRAD", "66 0F 72 /4", "Ux,Ib", SSE2, byImmediate(32, "rightSigned")),
  row("PSLLD", "66 0F 72 /6", "Ux,Ib", SSE2, byImmediate(32, "left")),
  row("PSRLQ", "66 0F 73 /2", "Ux,Ib", SSE2, byImmediate(64, "right")),
  row("PSLLQ", "66 0F 73 /6", "Ux,Ib", SSE2, byImmediate(64, "left")),
  row("PSRLDQ", "66 0F 73 /3", "Ux,Ib", SSE2, shiftBytesRight),
  row("PSLLDQ", "66 0F 73 /7", "Ux,Ib", SSE2, shiftBytesLeft),
];
