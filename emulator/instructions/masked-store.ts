/** The store of MASKMOVDQU and MASKMOVQ: chosen bytes at DS:rDI. */

import type { Execution } from "../execution.ts";
import { checkAccess } from "../system/segment-access.ts";

/**
 * Stores byte i of `value`, for each of the low `count` bits i of `mask` that is set. All bytes are
 * checked before the first is written, so that a fault leaves memory as it was.
 */
export function storeMaskedBytes(x: Execution, value: bigint, mask: bigint, count: number): void {
  const start = x.getRegister("rdi", x.addressSize);
  const chosen: (readonly [linear: bigint, byte: bigint])[] = [];
  for (let i = 0n; i < count; i++) {
    if (((mask >> i) & 1n) === 0n) continue;
    const offset = BigInt.asUintN(8 * x.addressSize, start + i);
    const linear = checkAccess(x.cpu.state, x.operandSegment, offset, 1, true);
    x.cpu.mmu.probeWrite(linear, 1);
    chosen.push([linear, (value >> (8n * i)) & 0xffn]);
  }
  for (const [linear, byte] of chosen) x.cpu.mmu.write(linear, 1, byte);
}
