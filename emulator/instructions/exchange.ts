/** XCHG. */

import { type Row, row, type Semantics } from "./row.ts";

const exchange: Semantics = (c) => {
  const a = c.readForWrite(0);
  const b = c.read(1);
  c.write(0, b);
  c.write(1, a);
};

export const EXCHANGE_ROWS: readonly Row[] = [
  row("XCHG", "86 /r", "Eb,Gb", { lock: true }, exchange),
  row("XCHG", "87 /r", "Ev,Gv", { lock: true }, exchange),
  // 90 without REX.B is NOP (nop.ts).
  row("XCHG", "90 +r", "Zv,rAX", {}, exchange),
];
