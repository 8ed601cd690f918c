/** Nested tables that lie outside RAM: what they map cannot be told. */

import { hex } from "./address-range.ts";
import { type NestedTables, unknown, type Verdict } from "./invariant.ts";

/** "Unknown" if there is one. */
export function firstUnreadable(nested: NestedTables): Verdict | undefined {
  const visit = nested.visits.find(({ table }) => !table.readable);
  if (visit === undefined) return undefined;
  return unknown(`the nested table at hpa:${hex(visit.table.address)} does not lie in RAM`);
}
