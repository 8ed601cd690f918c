/** MOVS, STOS, LODS, CMPS and SCAS: each execution is one iteration, which is restartable. */

import type { Context, Size } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const STRING: RowOptions = { repeat: true };
const DIRECTION_FLAG = 10;

/** Runs one iteration; `body` gives the condition on which REPE and REPNE look, or undefined. */
function iterate<V, B, X>(c: Context<V, B, X>, body: () => B | undefined): void {
  if (c.repeatPrefix === "none") {
    body();
    return;
  }
  const size = c.addressSize;
  const count = c.getRegister("rcx", size);
  c.when(c.isNonZero(count), () => {
    const equal = body();
    const left = c.zeroExtend(c.sub(count, c.constant(1)), size);
    c.setRegister("rcx", size, left);
    const more = c.isNonZero(left);
    if (equal === undefined) {
      c.when(more, () => c.repeat());
    } else {
      const wanted = c.repeatPrefix === "REPNE" ? c.negate(equal) : equal;
      c.when(c.both(more, wanted), () => c.repeat());
    }
  });
}

/** Moves rSI or rDI on by one element, in the direction of DF. */
function advance<V, B, X>(c: Context<V, B, X>, name: "rsi" | "rdi", from: V, size: Size): void {
  const backwards = c.bit(c.otherFlags(), DIRECTION_FLAG);
  const step = c.select(backwards, c.constant(-size), c.constant(size));
  c.setRegister(name, c.addressSize, c.add(from, step));
}

function moveString<V, B, X>(c: Context<V, B, X>, size: Size): void {
  const source = c.getRegister("rsi", c.addressSize);
  const destination = c.getRegister("rdi", c.addressSize);
  c.store("es", destination, size, c.load("operand", source, size));
  advance(c, "rsi", source, size);
  advance(c, "rdi", destination, size);
}

function storeString<V, B, X>(c: Context<V, B, X>, size: Size): void {
  const destination = c.getRegister("rdi", c.addressSize);
  c.store("es", destination, size, c.getRegister("rax", size));
  advance(c, "rdi", destination, size);
}

function loadString<V, B, X>(c: Context<V, B, X>, size: Size): void {
  const source = c.getRegister("rsi", c.addressSize);
  c.setRegister("rax", size, c.load("operand", source, size));
  advance(c, "rsi", source, size);
}

function compareString<V, B, X>(c: Context<V, B, X>, size: Size): B {
  const source = c.getRegister("rsi", c.addressSize);
  const destination = c.getRegister("rdi", c.addressSize);
  const a = c.load("operand", source, size);
  const b = c.load("es", destination, size);
  advance(c, "rsi", source, size);
  advance(c, "rdi", destination, size);
  c.flagsOfSubtract(a, b, c.sub(a, b), size);
  return c.equal(a, b);
}

function scanString<V, B, X>(c: Context<V, B, X>, size: Size): B {
  const destination = c.getRegister("rdi", c.addressSize);
  const a = c.getRegister("rax", size);
  const b = c.load("es", destination, size);
  advance(c, "rdi", destination, size);
  c.flagsOfSubtract(a, b, c.sub(a, b), size);
  return c.equal(a, b);
}

/** The byte form and the operand-sized form. */
function both(
  mnemonic: string,
  encodings: readonly [bytes: string, words: string],
  options: RowOptions,
  semantics: (bytes: boolean) => Semantics,
): Row[] {
  return [
    row(mnemonic, encodings[0], "", options, semantics(true)),
    row(mnemonic, encodings[1], "", options, semantics(false)),
  ];
}

function elementSize<V, B, X>(c: Context<V, B, X>, bytes: boolean): Size {
  return bytes ? 1 : c.operandSize;
}

/** The instructions that do not compare repeat on the count alone, with REPNE as with REP. */
function plain<V, B, X>(
  c: Context<V, B, X>,
  bytes: boolean,
  body: (c: Context<V, B, X>, size: Size) => void,
): void {
  iterate(c, () => {
    body(c, elementSize(c, bytes));
    return undefined;
  });
}

export const STRING_ROWS: readonly Row[] = [
  ...both("MOVS", ["A4", "A5"], { ...STRING }, (bytes) => (c) => plain(c, bytes, moveString)),
  ...both("STOS", ["AA", "AB"], { ...STRING }, (bytes) => (c) => plain(c, bytes, storeString)),
  ...both("LODS", ["AC", "AD"], STRING, (bytes) => (c) => plain(c, bytes, loadString)),
  ...both(
    "CMPS",
    ["A6", "A7"],
    STRING,
    (bytes) => (c) => iterate(c, () => compareString(c, elementSize(c, bytes))),
  ),
  ...both(
    "SCAS",
    ["AE", "AF"],
    STRING,
    (bytes) => (c) => iterate(c, () => scanString(c, elementSize(c, bytes))),
  ),
];
