// Reads location lists: .debug_loclists (version 5) and .debug_loc (until version 4).
import { At } from "./constants.ts";
import { type AttributeValue, asExpression, asOffset } from "./forms.ts";
import type { Reader } from "./reader.ts";
import type { Unit } from "./unit.ts";

/** An expression and the addresses at which it holds; a default entry holds where no other does. */
export interface LocationRange {
  readonly start: bigint;
  readonly end: bigint;
  readonly isDefault: boolean;
  readonly expression: Uint8Array;
}

/**
 * The expression of a location attribute at `pc`: the attribute itself or an entry of its list.
 * Undefined where the list has no entry for `pc`. Throws a FormatError for a damaged list.
 */
export function expressionAt(unit: Unit, value: AttributeValue, pc: bigint) {
  const direct = asExpression(value);
  if (direct) return direct;
  const list = readLocations(unit, value);
  const hit = list.find((each) => !each.isDefault && each.start <= pc && pc < each.end);
  return (hit ?? list.find((each) => each.isDefault))?.expression;
}

/** All entries of a location list attribute. */
function readLocations(unit: Unit, value: AttributeValue): LocationRange[] {
  const { sections, version, addressSize, offsetSize } = unit.header;
  let offset = asOffset(value);
  if (version < 5) {
    return offset === undefined
      ? []
      : readOldList(sections.open("locations", offset), addressSize, unit.base);
  }
  if (value.kind === "index") {
    const base = unit.basis(At.loclistsBase, 12);
    const slot = sections.open("locationLists", base + value.value * offsetSize);
    offset = base + slot.offset(offsetSize);
  }
  if (offset === undefined) return [];
  return readList(sections.open("locationLists", offset), unit);
}

/** .debug_loc (DWARF 4 section 2.6.2): begin, end, 2-byte length, expression; relative to base. */
function readOldList(reader: Reader, addressSize: number, unitBase: bigint): LocationRange[] {
  const selector = (1n << BigInt(addressSize * 8)) - 1n;
  const list: LocationRange[] = [];
  let base = unitBase;
  for (;;) {
    const start = reader.unsigned(addressSize);
    const end = reader.unsigned(addressSize);
    if (start === 0n && end === 0n) return list;
    if (start === selector) base = end;
    else {
      const expression = reader.block(reader.u16());
      list.push({ start: start + base, end: end + base, isDefault: false, expression });
    }
  }
}

/** .debug_loclists (DWARF 5 section 7.7.3). */
function readList(reader: Reader, unit: Unit): LocationRange[] {
  const size = unit.header.addressSize;
  const list: LocationRange[] = [];
  const add = (start: bigint, end: bigint, isDefault = false) =>
    list.push({ start, end, isDefault, expression: reader.block(reader.uleb()) });
  const indexed = () => unit.addressAt(reader.uleb());
  let base = unit.base;
  for (;;) {
    const kind = reader.u8();
    if (kind === 0) return list; // DW_LLE_end_of_list
    if (kind === 1)
      base = indexed(); // base_addressx
    else if (kind === 2)
      add(indexed(), indexed()); // startx_endx
    else if (kind === 3) {
      const start = indexed(); // startx_length
      add(start, start + reader.uleb64());
    } else if (kind === 4)
      add(base + reader.uleb64(), base + reader.uleb64()); // offset_pair
    else if (kind === 5)
      add(0n, 0n, true); // default_location
    else if (kind === 6)
      base = reader.unsigned(size); // base_address
    else if (kind === 7)
      add(reader.unsigned(size), reader.unsigned(size)); // start_end
    else if (kind === 8) {
      const start = reader.unsigned(size); // start_length
      add(start, start + reader.uleb64());
    } else if (kind === 9) {
      reader.uleb(); // DW_LLE_GNU_view_pair as gcc may write it in between
      reader.uleb();
    } else throw reader.error(`unknown location list entry ${kind}`);
  }
}
