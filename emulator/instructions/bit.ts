/** BT, BTS, BTR, BTC, BSF, BSR and POPCNT. */

import type { Context } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const TESTS: RowOptions = { undefinedFlags: ["OF", "SF", "ZF", "AF", "PF"] };
const SCANS: RowOptions = { undefinedFlags: ["CF", "OF", "SF", "AF", "PF"] };

/** What becomes of the operand, given the bit as a mask; undefined for BT, which writes nothing. */
type BitChange = <V, B, X>(c: Context<V, B, X>, a: V, mask: V) => V;

const set: BitChange = (c, a, mask) => c.or(a, mask);
const reset: BitChange = (c, a, mask) => c.and(a, c.not(mask));
const complement: BitChange = (c, a, mask) => c.xor(a, mask);

/** A register index into memory is signed and reaches beyond the operand, in steps of its size. */
function bitTest(change: BitChange | undefined, index: "register" | "immediate"): Semantics {
  return (c) => {
    const size = c.sizeOf(0);
    const position = c.read(1);
    if (index === "register" && c.isMemory(0)) {
      const log2 = { 1: 3, 2: 4, 4: 5, 8: 6 }[size];
      const elements = c.shiftRightSigned(c.signExtend(position, size), c.constant(log2));
      c.displace(0, c.mul(elements, c.constant(size)));
    }
    const within = c.and(position, c.constant(size * 8 - 1));
    const a = change ? c.readForWrite(0) : c.read(0);
    if (change) c.write(0, change(c, a, c.shiftLeft(c.constant(1), within)));
    c.setFlags({ CF: c.bit(c.shiftRight(a, within), 0) });
  };
}

function bitRows(mnemonic: string, opcode: string, digit: number, change?: BitChange): Row[] {
  const options: RowOptions = change ? { ...TESTS, lock: true } : TESTS;
  return [
    row(mnemonic, `0F ${opcode} /r`, "Ev,Gv", options, bitTest(change, "register")),
    row(mnemonic, `0F BA /${digit}`, "Ev,Ib", options, bitTest(change, "immediate")),
  ];
}

/** A zero source sets ZF and leaves the destination alone: AMD's side, which Linux relies on. */
function scan<V, B, X>(c: Context<V, B, X>, position: (source: V) => V): void {
  const source = c.read(1);
  const none = c.isZero(source);
  c.when(c.negate(none), () => c.write(0, position(source)));
  c.setFlags({ ZF: none });
}

const populationCount: Semantics = (c) => {
  const source = c.read(1);
  c.write(0, c.popCount(source));
  const no = c.isNonZero(c.constant(0));
  c.setFlags({ CF: no, PF: no, AF: no, ZF: c.isZero(source), SF: no, OF: no });
};

export const BIT_ROWS: readonly Row[] = [
  ...bitRows("BT", "A3", 4),
  ...bitRows("BTS", "AB", 5, set),
  ...bitRows("BTR", "B3", 6, reset),
  ...bitRows("BTC", "BB", 7, complement),
  row("BSF", "0F BC /r", "Gv,Ev", SCANS, (c) => scan(c, (source) => c.countTrailingZeros(source))),
  row("BSR", "0F BD /r", "Gv,Ev", SCANS, (c) =>
    scan(c, (source) => c.sub(c.constant(63), c.countLeadingZeros(source))),
  ),
  row("POPCNT", "F3 0F B8 /r", "Gv,Ev", { feature: "POPCNT" }, populationCount),
];
