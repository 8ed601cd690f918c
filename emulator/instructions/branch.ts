/** Near branches: JMP, CALL, RET, Jcc, LOOPcc and JrCXZ. */

import { CONDITIONS, type Context } from "./context.ts";
import { complexRow, opcodeByte, type Row, type RowOptions, row, type Semantics } from "./row.ts";

/** 64-bit in 64-bit mode; a 66 prefix makes it 16-bit, as AMD's CPUs do (Intel's ignore it). */
const NEAR: RowOptions = { default64: true };

/** #SS and #PF of the push come before #GP of the target, and a bad target leaves the stack alone. */
const call: Semantics = (c) => {
  const target = c.read(0);
  const returnAddress = c.nextRip();
  c.push(returnAddress, c.operandSize, () => c.jump(target));
};

const jump: Semantics = (c) => c.jump(c.read(0));

const returnNear: Semantics = (c) => {
  c.jump(c.peek(c.operandSize));
  c.moveStack(c.operandSize);
};

const conditional = CONDITIONS.flatMap((code, i) => {
  const semantics: Semantics = (c) => c.jumpIf(c.condition(code), c.read(0));
  return [
    row(`J${code}`, opcodeByte(0x70 + i), "Jb", NEAR, semantics),
    row(`J${code}`, `0F ${opcodeByte(0x80 + i)}`, "Jz", NEAR, semantics),
  ];
});

/** rCX has address size. The branch comes first: a target that faults leaves rCX alone. */
function loop<V, B, X>(c: Context<V, B, X>, also?: B): void {
  const size = c.addressSize;
  const count = c.sub(c.getRegister("rcx", size), c.constant(1));
  const more = c.isNonZero(c.zeroExtend(count, size));
  c.jumpIf(also === undefined ? more : c.both(more, also), c.read(0));
  c.setRegister("rcx", size, count);
}

export const BRANCH_ROWS: readonly Row[] = [
  ...conditional,
  row("JMP", "EB", "Jb", NEAR, jump),
  row("JMP", "E9", "Jz", NEAR, jump),
  row("JMP", "FF /4", "Ev", NEAR, jump),
  row("CALL", "E8", "Jz", NEAR, call),
  row("CALL", "FF /2", "Ev", NEAR, call),
  row("RET", "C3", "", NEAR, returnNear),
  complexRow("RET", "C2", "Iw", NEAR, (x) => {
    x.jump(x.peek(x.operandSize));
    x.moveStack(x.operandSize + Number(x.read(0) & 0xffffn));
  }),
  row("LOOPNE", "E0", "Jb", NEAR, (c) => loop(c, c.negate(c.getFlag("ZF")))),
  row("LOOPE", "E1", "Jb", NEAR, (c) => loop(c, c.getFlag("ZF"))),
  row("LOOP", "E2", "Jb", NEAR, (c) => loop(c)),
  row("JrCXZ", "E3", "Jb", NEAR, (c) =>
    c.jumpIf(c.isZero(c.getRegister("rcx", c.addressSize)), c.read(0)),
  ),
];
