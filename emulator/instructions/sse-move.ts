/** SSE rows that move 128-bit registers or parts of them without looking at what they hold. */

import type { Execution } from "../execution.ts";
import { storeMaskedBytes } from "./masked-store.ts";
import { complexRow, type Row, type RowOptions, row, type Semantics } from "./row.ts";

const SSE: RowOptions = { unit: "sse", feature: "SSE" };
const SSE2: RowOptions = { unit: "sse", feature: "SSE2" };
const SSE3: RowOptions = { unit: "sse", feature: "SSE3" };

/** Whole register or 16 bytes, any alignment. */
const moveUnaligned: Semantics = (c) => c.writeX(0, c.readX(1));
/** Whole register or 16 aligned bytes. */
const moveAligned: Semantics = (c) => c.writeX(0, c.readX(1, true), true);
/** Low bytes, as many as operand 0 has; a register destination keeps the others. */
const moveLow: Semantics = (c) => c.write(0, c.lowX(c.readX(1)));
/** The destination's lowest 4 or 8 bytes replaced by the source's. */
const mergeLowSingle: Semantics = (c) => {
  const indexes = [16, 17, 18, 19, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
  c.writeX(0, c.shuffleX(c.readX(0), c.readX(1), indexes));
};
const mergeLowDouble: Semantics = (c) =>
  c.writeX(0, c.makeX(c.lowX(c.readX(1)), c.highX(c.readX(0))));
/** Operand 1 zero-extended to the whole register. */
const loadZeroExtended: Semantics = (c) => c.writeX(0, c.makeX(c.read(1), c.constant(0)));
/** Low 64 bits of the source, the upper half of the destination cleared. */
const moveQuadClearing: Semantics = (c) => c.writeX(0, c.makeX(c.lowX(c.readX(1)), c.constant(0)));
const loadLowHalf: Semantics = (c) => c.writeX(0, c.makeX(c.read(1), c.highX(c.readX(0))));
const loadHighHalf: Semantics = (c) => c.writeX(0, c.makeX(c.lowX(c.readX(0)), c.read(1)));
const storeLowHalf: Semantics = (c) => c.write(0, c.lowX(c.readX(1)));
const storeHighHalf: Semantics = (c) => c.write(0, c.highX(c.readX(1)));
const highToLow: Semantics = (c) => c.writeX(0, c.makeX(c.highX(c.readX(1)), c.highX(c.readX(0))));
const lowToHigh: Semantics = (c) => c.writeX(0, c.makeX(c.lowX(c.readX(0)), c.lowX(c.readX(1))));

/** Byte i of the destination is byte indexes[i] of the source. */
const rearrange =
  (indexes: readonly number[]): Semantics =>
  (c) => {
    const source = c.readX(1, true);
    c.writeX(0, c.shuffleX(source, source, indexes));
  };

const moveSignMaskSingle: Semantics = (c) => {
  const topBits = c.byteMask(c.readX(1));
  const sign = (lane: number) =>
    c.and(c.shiftRight(topBits, c.constant(3 * (lane + 1))), c.constant(1 << lane));
  c.write(0, c.or(c.or(sign(0), sign(1)), c.or(sign(2), sign(3))));
};

const moveSignMaskDouble: Semantics = (c) => {
  const source = c.readX(1);
  const low = c.shiftRight(c.lowX(source), c.constant(63));
  const high = c.shiftRight(c.highX(source), c.constant(63));
  c.write(0, c.or(low, c.shiftLeft(high, c.constant(1))));
};

/** MASKMOVDQU: the bytes of operand 0 whose mask byte has its top bit set. */
const storeMasked = (x: Execution): void =>
  storeMaskedBytes(x, x.readX(0), x.byteMask(x.readX(1)), 16);

export const SSE_MOVE_ROWS: readonly Row[] = [
  row("MOVUPS", "NP 0F 10 /r", "Vx,Wx", SSE, moveUnaligned),
  row("MOVUPS", "NP 0F 11 /r", "Wx,Vx", SSE, moveUnaligned),
  row("MOVUPD", "66 0F 10 /r", "Vx,Wx", SSE2, moveUnaligned),
  row("MOVUPD", "66 0F 11 /r", "Wx,Vx", SSE2, moveUnaligned),
  row("MOVAPS", "NP 0F 28 /r", "Vx,Wx", SSE, moveAligned),
  row("MOVAPS", "NP 0F 29 /r", "Wx,Vx", SSE, moveAligned),
  row("MOVAPD", "66 0F 28 /r", "Vx,Wx", SSE2, moveAligned),
  row("MOVAPD", "66 0F 29 /r", "Wx,Vx", SSE2, moveAligned),
  row("MOVDQA", "66 0F 6F /r", "Vx,Wx", SSE2, moveAligned),
  row("MOVDQA", "66 0F 7F /r", "Wx,Vx", SSE2, moveAligned),
  row("MOVDQU", "F3 0F 6F /r", "Vx,Wx", SSE2, moveUnaligned),
  row("MOVDQU", "F3 0F 7F /r", "Wx,Vx", SSE2, moveUnaligned),
  row("LDDQU", "F2 0F F0 /r", "Vx,Mx", SSE3, moveUnaligned),
  row("MOVNTPS", "NP 0F 2B /r", "Mx,Vx", SSE, moveAligned),
  row("MOVNTPD", "66 0F 2B /r", "Mx,Vx", SSE2, moveAligned),
  row("MOVNTDQ", "66 0F E7 /r", "Mx,Vx", SSE2, moveAligned),

  row("MOVSS", "F3 0F 10 /r", "Vx,Md", SSE, loadZeroExtended),
  row("MOVSS", "F3 0F 10 /r", "Vx,Ux", SSE, mergeLowSingle),
  row("MOVSS", "F3 0F 11 /r", "Wd,Vx", SSE, moveLow),
  row("MOVSD", "F2 0F 10 /r", "Vx,Mq", SSE2, loadZeroExtended),
  row("MOVSD", "F2 0F 10 /r", "Vx,Ux", SSE2, mergeLowDouble),
  row("MOVSD", "F2 0F 11 /r", "Wq,Vx", SSE2, moveLow),

  row("MOVLPS", "NP 0F 12 /r", "Vx,Mq", SSE, loadLowHalf),
  row("MOVHLPS", "NP 0F 12 /r", "Vx,Ux", SSE, highToLow),
  row("MOVLPS", "NP 0F 13 /r", "Mq,Vx", SSE, storeLowHalf),
  row("MOVLPD", "66 0F 12 /r", "Vx,Mq", SSE2, loadLowHalf),
  row("MOVLPD", "66 0F 13 /r", "Mq,Vx", SSE2, storeLowHalf),
  row("MOVHPS", "NP 0F 16 /r", "Vx,Mq", SSE, loadHighHalf),
  row("MOVLHPS", "NP 0F 16 /r", "Vx,Ux", SSE, lowToHigh),
  row("MOVHPS", "NP 0F 17 /r", "Mq,Vx", SSE, storeHighHalf),
  row("MOVHPD", "66 0F 16 /r", "Vx,Mq", SSE2, loadHighHalf),
  row("MOVHPD", "66 0F 17 /r", "Mq,Vx", SSE2, storeHighHalf),
  row(
    "MOVSLDUP",
    "F3 0F 12 /r",
    "Vx,Wx",
    SSE3,
    rearrange([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]),
  ),
  row(
    "MOVSHDUP",
    "F3 0F 16 /r",
    "Vx,Wx",
    SSE3,
    rearrange([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]),
  ),
  row("MOVDDUP", "F2 0F 12 /r", "Vx,Wq", SSE3, (c) => {
    const value = c.read(1);
    c.writeX(0, c.makeX(value, value));
  }),

  row("MOVD", "66 0F 6E /r", "Vx,Ey", SSE2, loadZeroExtended),
  row("MOVD", "66 0F 7E /r", "Ey,Vx", SSE2, storeLowHalf),
  row("MOVQ", "F3 0F 7E /r", "Vx,Wq", SSE2, loadZeroExtended),
  row("MOVQ", "66 0F D6 /r", "Mq,Vx", SSE2, storeLowHalf),
  row("MOVQ", "66 0F D6 /r", "Ux,Vx", SSE2, moveQuadClearing),

  row("MOVMSKPS", "NP 0F 50 /r", "Gy,Ux", SSE, moveSignMaskSingle),
  row("MOVMSKPD", "66 0F 50 /r", "Gy,Ux", SSE2, moveSignMaskDouble),
  row("PMOVMSKB", "66 0F D7 /r", "Gy,Ux", SSE2, (c) => c.write(0, c.byteMask(c.readX(1)))),
  complexRow("MASKMOVDQU", "66 0F F7 /r", "Vx,Ux", SSE2, storeMasked),
];
