// Reads range lists: .debug_rnglists (version 5) and .debug_ranges (until version 4).
import type { Reader } from "./reader.ts";

/** Addresses from `start` up to, but not with, `end`. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** A list of .debug_ranges (DWARF 4 section 2.17.3): pairs up to (0, 0), relative to `base`. */
export function readRanges(reader: Reader, addressSize: number, base: bigint): AddressRange[] {
  const selector = (1n << BigInt(addressSize * 8)) - 1n;
  const ranges: AddressRange[] = [];
  let relative = base;
  for (;;) {
    const start = reader.unsigned(addressSize);
    const end = reader.unsigned(addressSize);
    if (start === 0n && end === 0n) return ranges;
    if (start === selector) relative = end;
    else if (start < end) ranges.push({ start: start + relative, end: end + relative });
  }
}

/** A list of .debug_rnglists (DWARF 5 section 2.17.3). */
export function readRangeList(
  reader: Reader,
  addressSize: number,
  unitBase: bigint,
  addressAt: (index: number) => bigint,
): AddressRange[] {
  const ranges: AddressRange[] = [];
  const add = (start: bigint, end: bigint) => {
    if (start < end) ranges.push({ start, end });
  };
  let base = unitBase;
  for (;;) {
    const kind = reader.u8();
    if (kind === 0) return ranges; // DW_RLE_end_of_list
    if (kind === 1)
      base = addressAt(reader.uleb()); // base_addressx
    else if (kind === 2)
      add(addressAt(reader.uleb()), addressAt(reader.uleb())); // startx_endx
    else if (kind === 3) {
      const start = addressAt(reader.uleb()); // startx_length
      add(start, start + reader.uleb64());
    } else if (kind === 4)
      add(base + reader.uleb64(), base + reader.uleb64()); // offset_pair
    else if (kind === 5)
      base = reader.unsigned(addressSize); // base_address
    else if (kind === 6) add(reader.unsigned(addressSize), reader.unsigned(addressSize));
    else if (kind === 7) {
      const start = reader.unsigned(addressSize); // start_length
      add(start, start + reader.uleb64());
    } else throw reader.error(`unknown range list entry ${kind}`);
  }
}
