/** MOV, MOVSX, MOVZX, MOVSXD, LEA, CMOVcc, SETcc, BSWAP, MOVNTI and XLAT. */

import { CONDITIONS, type Context } from "./context.ts";
import { opcodeByte, type Row, row, type Semantics } from "./row.ts";

const move: Semantics = (c) => c.write(0, c.read(1));

const moveSignExtended: Semantics = (c) => c.write(0, c.signExtend(c.read(1), c.sizeOf(1)));

const moves: Row[] = [
  row("MOV", "88 /r", "Eb,Gb", {}, move),
  row("MOV", "89 /r", "Ev,Gv", {}, move),
  row("MOV", "8A /r", "Gb,Eb", {}, move),
  row("MOV", "8B /r", "Gv,Ev", {}, move),
  row("MOV", "A0", "AL,Ob", {}, move),
  row("MOV", "A1", "rAX,Ov", {}, move),
  row("MOV", "A2", "Ob,AL", {}, move),
  row("MOV", "A3", "Ov,rAX", {}, move),
  row("MOV", "B0 +r", "Zb,Ib", {}, move),
  row("MOV", "B8 +r", "Zv,Iv", {}, move),
  row("MOV", "C6 /0", "Eb,Ib", {}, move),
  row("MOV", "C7 /0", "Ev,Iz", {}, move),
  row("MOVZX", "0F B6 /r", "Gv,Eb", {}, move),
  row("MOVZX", "0F B7 /r", "Gv,Ew", {}, move),
  row("MOVSX", "0F BE /r", "Gv,Eb", {}, moveSignExtended),
  row("MOVSX", "0F BF /r", "Gv,Ew", {}, moveSignExtended),
  row("MOVSXD", "63 /r", "Gv,Ed", { only64: true }, moveSignExtended),
  row("MOVNTI", "NP 0F C3 /r", "My,Gy", { feature: "SSE2" }, move),
  row("LEA", "8D /r", "Gv,M", {}, (c) => c.write(0, c.offset(1))),
];

/** Swaps neighbouring groups of `bits` bits under `mask`. */
function swapGroups<V, B, X>(c: Context<V, B, X>, a: V, bits: number, mask: bigint): V {
  const amount = c.constant(bits);
  const high = c.shiftLeft(c.and(a, c.constant(mask)), amount);
  return c.or(high, c.and(c.shiftRight(a, amount), c.constant(mask)));
}

/** The 16-bit form is undefined; it gives 0, as the CPUs do. */
const swapBytes: Semantics = (c) => {
  const size = c.sizeOf(0);
  if (size === 2) {
    c.write(0, c.constant(0));
    return;
  }
  const a = c.read(0);
  const bytes = swapGroups(c, a, 8, 0x00ff00ff00ff00ffn);
  const words = swapGroups(c, bytes, 16, 0x0000ffff0000ffffn);
  c.write(0, size === 4 ? words : c.rotateLeft(words, c.constant(32)));
};

const translateByte: Semantics = (c) => {
  const size = c.addressSize;
  const offset = c.add(c.getRegister("rbx", size), c.getRegister("rax", 1));
  const value = c.load("operand", c.zeroExtend(offset, size), 1);
  c.setRegister("rax", 1, value);
};

/** The source is read, and a 32-bit destination zero-extended, whatever the condition. */
const conditionalMoves = CONDITIONS.map((code, i) =>
  row(`CMOV${code}`, `0F ${opcodeByte(0x40 + i)} /r`, "Gv,Ev", {}, (c) => {
    const source = c.read(1);
    c.write(0, c.select(c.condition(code), source, c.read(0)));
  }),
);

const conditionalSets = CONDITIONS.map((code, i) =>
  row(`SET${code}`, `0F ${opcodeByte(0x90 + i)} /r`, "Eb", {}, (c) =>
    c.write(0, c.toValue(c.condition(code))),
  ),
);

export const MOVE_ROWS: readonly Row[] = [
  ...moves,
  row("BSWAP", "0F C8 +r", "Zv", {}, swapBytes),
  row("XLAT", "D7", "", {}, translateByte),
  ...conditionalMoves,
  ...conditionalSets,
];
