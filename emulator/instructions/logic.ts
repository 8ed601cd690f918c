/** AND, OR, XOR, NOT and TEST. */

import { aluRows } from "./arithmetic.ts";
import type { Context } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

/** AF is undefined after every logic instruction; here it is cleared, as the CPUs do. */
const options: RowOptions = { undefinedFlags: ["AF"] };

function logic<V, B, X>(c: Context<V, B, X>, operation: "and" | "or" | "xor"): void {
  const a = c.readForWrite(0);
  const b = c.read(1);
  const result = c[operation](a, b);
  c.write(0, result);
  c.flagsOfLogic(result, c.sizeOf(0));
}

const not: Semantics = (c) => c.write(0, c.not(c.readForWrite(0)));

const test: Semantics = (c) => c.flagsOfLogic(c.and(c.read(0), c.read(1)), c.sizeOf(0));

export const LOGIC_ROWS: readonly Row[] = [
  ...aluRows("OR", { index: 1, lock: true, options }, (c) => logic(c, "or")),
  ...aluRows("AND", { index: 4, lock: true, options }, (c) => logic(c, "and")),
  ...aluRows("XOR", { index: 6, lock: true, options }, (c) => logic(c, "xor")),
  row("NOT", "F6 /2", "Eb", { lock: true }, not),
  row("NOT", "F7 /2", "Ev", { lock: true }, not),
  row("TEST", "84 /r", "Eb,Gb", { ...options }, test),
  row("TEST", "85 /r", "Ev,Gv", { ...options }, test),
  row("TEST", "A8", "AL,Ib", { ...options }, test),
  row("TEST", "A9", "rAX,Iz", options, test),
  row("TEST", "F6 /0", "Eb,Ib", { ...options }, test),
  row("TEST", "F7 /0", "Ev,Iz", { ...options }, test),
  // The opcode map's alias, which AMD documents.
  row("TEST", "F6 /1", "Eb,Ib", options, test),
  row("TEST", "F7 /1", "Ev,Iz", options, test),
];
