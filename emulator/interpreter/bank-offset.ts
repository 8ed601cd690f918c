/** Where in a TLB bank the entry for a linear address lies, as generated code finds it. */

import { OP } from "../wasm/encoder.ts";
import type { CodeWriter } from "./code-writer.ts";

const PAGE_BITS = 12;

/**
 * Leaves the byte offset of the entry for the address in the local `linear`: bankIndex()
 * (state/memory-map.ts) times `entryBytes`, with the multiplication in the shifts.
 */
export function pushBankOffset(
  w: CodeWriter,
  linear: number,
  entries: number,
  entryBytes: number,
): void {
  const shift = PAGE_BITS - Math.log2(entryBytes);
  w.get(linear).op(OP.i32WrapI64).i32(shift).op(OP.i32ShrU);
  w.get(linear)
    .op(OP.i32WrapI64)
    .i32(shift + Math.log2(entries))
    .op(OP.i32ShrU, OP.i32Xor);
  w.i32((entries - 1) * entryBytes).op(OP.i32And);
}
