/** Decimal adjustment: DAA, DAS, AAA, AAS, AAM, AAD; and SALC, of the same age. */

import type { Context } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const PACKED: RowOptions = { not64: true, undefinedFlags: ["OF"] };
const UNPACKED: RowOptions = { not64: true, undefinedFlags: ["OF", "SF", "ZF", "PF"] };
const BY_BASE: RowOptions = { not64: true, undefinedFlags: ["CF", "OF", "AF"] };

function never<V, B, X>(c: Context<V, B, X>): B {
  return c.isNonZero(c.constant(0));
}

/** The low digit is over 9, or the last operation carried out of it. */
function lowDigitNeedsAdjusting<V, B, X>(c: Context<V, B, X>, al: V): B {
  return c.either(c.below(c.constant(9), c.and(al, c.constant(15))), c.getFlag("AF"));
}

function adjustPacked<V, B, X>(c: Context<V, B, X>, operation: "add" | "sub"): void {
  const al = c.getRegister("rax", 1);
  const low = lowDigitNeedsAdjusting(c, al);
  const high = c.either(c.below(c.constant(0x99), al), c.getFlag("CF"));
  const zero = c.constant(0);
  const byLow = c[operation](al, c.select(low, c.constant(6), zero));
  const result = c[operation](byLow, c.select(high, c.constant(0x60), zero));
  // DAS also borrows where taking 6 away does.
  const carry = operation === "add" ? high : c.either(high, c.bit(byLow, 8));
  c.setRegister("rax", 1, result);
  c.flagsOfResult(result, 1, carry, never(c), low);
}

function adjustUnpacked<V, B, X>(c: Context<V, B, X>, operation: "add" | "sub"): void {
  const ax = c.getRegister("rax", 2);
  const adjust = lowDigitNeedsAdjusting(c, ax);
  const result = c[operation](ax, c.select(adjust, c.constant(0x106), c.constant(0)));
  c.setRegister("rax", 2, c.and(result, c.constant(0xff0f)));
  c.setFlags({ CF: adjust, AF: adjust });
}

const adjustAfterMultiply: Semantics = (c) => {
  const base = c.zeroExtend(c.read(0), 1);
  c.faultIf(c.isZero(base), "DE");
  const al = c.getRegister("rax", 1);
  const digit = c.remainder(al, base);
  c.setAh(c.divide(al, base));
  c.setRegister("rax", 1, digit);
  c.flagsOfLogic(digit, 1);
};

const adjustBeforeDivide: Semantics = (c) => {
  const base = c.read(0);
  const value = c.add(c.getRegister("rax", 1), c.mul(c.getAh(), base));
  const result = c.zeroExtend(value, 1);
  c.setRegister("rax", 2, result);
  c.flagsOfLogic(result, 1);
};

export const BCD_ROWS: readonly Row[] = [
  row("DAA", "27", "", PACKED, (c) => adjustPacked(c, "add")),
  row("DAS", "2F", "", PACKED, (c) => adjustPacked(c, "sub")),
  row("AAA", "37", "", UNPACKED, (c) => adjustUnpacked(c, "add")),
  row("AAS", "3F", "", UNPACKED, (c) => adjustUnpacked(c, "sub")),
  row("AAM", "D4", "Ib", BY_BASE, adjustAfterMultiply),
  row("AAD", "D5", "Ib", BY_BASE, adjustBeforeDivide),
  // Not in the manuals, present in every CPU: AL = CF ? FFh : 0.
  row("SALC", "D6", "", { not64: true }, (c) =>
    c.setRegister("rax", 1, c.sub(c.constant(0), c.toValue(c.getFlag("CF")))),
  ),
];
