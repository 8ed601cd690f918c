/** npt_tables_in_hypervisor: every nested table lies inside hv.memory. */

import { contains, describeRange, describeRanges, hex } from "./address-range.ts";
import { type CheckView, HOLDS, type Invariant, unknown, type Verdict } from "./invariant.ts";
import { statusBits } from "./table-format.ts";
import type { TableVisit } from "./table-tree.ts";
import { firstUnreadable } from "./unreadable-table.ts";

/** Offset of nCR3 in the VMCB. */
const NESTED_CR3 = 0xb0;

function witness({ table, namedBy }: TableVisit, vmcb: number) {
  if (namedBy === undefined) return { first: vmcb + NESTED_CR3, bytes: 8, statusBits: 0n };
  const { format, level } = table;
  return {
    first: namedBy,
    bytes: format.entryBytes,
    statusBits: statusBits(format, level + 1),
  };
}

function check({ context, hypervisorMemory, nested }: CheckView): Verdict {
  if (hypervisorMemory.source === "unknown") return unknown(hypervisorMemory.reason);
  if ("unknown" in nested) return unknown(nested.unknown);
  const { ranges } = hypervisorMemory;
  for (const visit of nested.visits) {
    const { table, namedBy } = visit;
    if (contains(ranges, table.address, table.bytes)) continue;
    const place = { first: table.address, bytes: table.bytes };
    const by = namedBy === undefined ? "nCR3" : `the entry at hpa:${hex(namedBy)}`;
    return {
      kind: "violated",
      message: `A nested page table, named by ${by}, lies outside the hypervisor's memory`,
      expected: `every nested table inside ${describeRanges(ranges)}`,
      actual: `a level-${table.level} table at ${describeRange("hpa", place)}`,
      witness: witness(visit, context.vmcb),
    };
  }
  return firstUnreadable(nested) ?? HOLDS;
}

/** What the original theorem lacks: tables that the guest can write undo it. */
export const nptTablesInHypervisor: Invariant = {
  name: "npt_tables_in_hypervisor",
  doc: "Every nested page table lies inside the hypervisor's memory (APM volume 2, section 15.25).",
  check,
};
