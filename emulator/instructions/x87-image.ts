/** Moves whole memory images of FPU state, faulting before anything is changed. */

import type { Execution } from "../execution.ts";
import { checkAccess } from "../system/segment-access.ts";

/** The bytes of memory operand `i`. */
export function loadImage(x: Execution, i: number, bytes: number): DataView {
  const view = new DataView(new ArrayBuffer(bytes));
  const linear = checkAccess(x.cpu.state, x.segmentOf(i), x.offset(i), bytes, false);
  for (let at = 0; at < bytes; ) {
    const size = pieceAt(at, bytes);
    putBytes(view, at, size, x.cpu.mmu.read(linear + BigInt(at), size));
    at += size;
  }
  return view;
}

/** Writes bytes [from, to) of an image of `bytes` at memory operand `i`. */
export function storeImage(
  x: Execution,
  i: number,
  view: DataView,
  ranges: readonly (readonly [from: number, to: number])[] = [[0, view.byteLength]],
): void {
  const bytes = view.byteLength;
  const linear = checkAccess(x.cpu.state, x.segmentOf(i), x.offset(i), bytes, true);
  x.cpu.mmu.probeWrite(linear, bytes);
  for (const [from, to] of ranges) {
    for (let at = from; at < to; ) {
      const size = pieceAt(at, to);
      x.cpu.mmu.write(linear + BigInt(at), size, takeBytes(view, at, size));
      at += size;
    }
  }
}

function pieceAt(at: number, end: number): 2 | 8 {
  return at + 8 <= end ? 8 : 2;
}

function putBytes(view: DataView, at: number, size: 2 | 8, value: bigint): void {
  if (size === 8) view.setBigUint64(at, value, true);
  else view.setUint16(at, Number(value), true);
}

function takeBytes(view: DataView, at: number, size: 2 | 8): bigint {
  return size === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint16(at, true));
}
