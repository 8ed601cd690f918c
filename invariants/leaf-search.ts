/** Finds leaves that map into a set of ranges, searching each table once for a set. */

import { type AddressRange, overlapping } from "./address-range.ts";
import type { Table } from "./table-cache.ts";
import { EntryKind, spanOf } from "./table-format.ts";

/** Tables and joined ranges never change, so that an answer holds for as long as both are used. */
const answers = new WeakMap<Table, { ranges: readonly AddressRange[]; index: number }>();

/** Index of the first leaf of the table that maps into the ranges; -1 if none does. */
export function leafInto(table: Table, ranges: readonly AddressRange[]): number {
  const known = answers.get(table);
  if (known?.ranges === ranges) return known.index;
  const bytes = spanOf(table.format, table.level);
  const index = table.kinds.findIndex(
    (kind, i) =>
      kind === EntryKind.leaf &&
      overlapping(ranges, table.targets[i] as number, bytes) !== undefined,
  );
  answers.set(table, { ranges, index });
  return index;
}
