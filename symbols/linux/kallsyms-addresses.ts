/**
 * Finds the addresses that belong to a kernel's table of symbol names.
 *
 * Either one 32-bit offset a symbol and a u64 base, or one u64 address a symbol. They lie before
 * num_syms up to Linux 6.3, behind token_index from 6.4 on. With absolute per-CPU symbols (until
 * 6.15) an offset at or above 0 is the symbol's value and a negative one is base - 1 - offset;
 * without, all offsets count up from the base.
 */
import type { KernelBytes } from "./kernel-bytes.ts";
import { KERNEL_START } from "./symbol-list.ts";
/** Where the names lie, as byte offsets. */
export interface NamesLayout {
  readonly count: number;
  readonly countAt: number;
  /** End of token_index. */
  readonly indexEnd: number;
}

const SIGN = 0x8000_0000;

export function addressesNear(
  memory: KernelBytes,
  layout: NamesLayout,
): BigUint64Array | undefined {
  const { count, countAt, indexEnd } = layout;
  for (const padding of [0, 4]) {
    const behind = indexEnd + padding;
    for (const basePadding of [0, 4]) {
      const found =
        fromOffsets(memory, behind, behind + 4 * count + basePadding, count) ??
        fromOffsets(
          memory,
          countAt - 8 - padding - basePadding - 4 * count,
          countAt - 8 - padding,
          count,
        );
      if (found) return found;
    }
    const found =
      fromAddresses(memory, behind, count) ??
      fromAddresses(memory, countAt - padding - 8 * count, count);
    if (found) return found;
  }
  return undefined;
}

function fromOffsets(
  memory: KernelBytes,
  at: number,
  baseAt: number,
  count: number,
): BigUint64Array | undefined {
  if (at < 0 || baseAt + 8 > memory.bytes.length) return undefined;
  const base = memory.long(baseAt);
  if (base < KERNEL_START) return undefined;
  const offsets = memory.words.subarray(at >> 2, (at >> 2) + count);
  const hasAbsolute = offsets.some((offset) => offset >= SIGN);
  const addresses = new BigUint64Array(count);
  for (let i = 0; i < count; i++) {
    const offset = offsets[i] as number;
    if (!hasAbsolute) addresses[i] = base + BigInt(offset);
    else addresses[i] = offset < SIGN ? BigInt(offset) : base + BigInt(~offset >>> 0);
  }
  return isPlausible(addresses) ? addresses : undefined;
}

function fromAddresses(memory: KernelBytes, at: number, count: number): BigUint64Array | undefined {
  if (at < 0 || at + 8 * count > memory.bytes.length) return undefined;
  if (memory.long(at + 8 * (count - 1)) < KERNEL_START) return undefined;
  const addresses = new BigUint64Array(count);
  for (let i = 0; i < count; i++) addresses[i] = memory.long(at + 8 * i);
  return isPlausible(addresses) ? addresses : undefined;
}

/** Ascending, and most of them in the kernel's image. */
function isPlausible(addresses: BigUint64Array): boolean {
  let inImage = 0;
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[i] as bigint;
    if (i > 0 && address < (addresses[i - 1] as bigint)) return false;
    if (address >= KERNEL_START) inImage++;
  }
  return inImage > addresses.length / 2;
}
