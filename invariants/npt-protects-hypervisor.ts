/** npt_protects_hypervisor: no leaf of the nested tables maps onto hv.memory. */

import { describeRange, describeRanges, hex, overlapping } from "./address-range.ts";
import type { KnownMemory } from "./hypervisor-memory.ts";
import { type CheckView, HOLDS, type Invariant, unknown, type Verdict } from "./invariant.ts";
import { leafInto } from "./leaf-search.ts";
import { spanOf, statusBits } from "./table-format.ts";
import type { TableVisit } from "./table-tree.ts";
import { firstUnreadable } from "./unreadable-table.ts";

const NAMES = ["", "PTE", "PDE", "PDPE", "PML4E"] as const;

function violation(
  { table, base }: TableVisit,
  index: number,
  { ranges, parts }: KnownMemory,
): Verdict {
  const { format, level } = table;
  const bytes = spanOf(format, level);
  const first = table.address + index * format.entryBytes;
  const target = table.targets[index] as number;
  const part = overlapping(parts, target, bytes);
  const source = describeRange("gpa", { first: base + index * bytes, bytes });
  return {
    kind: "violated",
    message: `The nested ${NAMES[level]} at hpa:${hex(first)} lets the guest reach ${part?.what} of the hypervisor`,
    expected: `no guest-physical page maps onto ${describeRanges(ranges)}`,
    actual: `${source} maps onto ${describeRange("hpa", { first: target, bytes })}`,
    witness: { first, bytes: format.entryBytes, statusBits: statusBits(format, level) },
  };
}

function check({ hypervisorMemory, nested }: CheckView): Verdict {
  if (hypervisorMemory.source === "unknown") return unknown(hypervisorMemory.reason);
  if ("unknown" in nested) return unknown(nested.unknown);
  for (const visit of nested.visits) {
    const index = leafInto(visit.table, hypervisorMemory.ranges);
    if (index >= 0) return violation(visit, index, hypervisorMemory);
  }
  return firstUnreadable(nested) ?? HOLDS;
}

/**
 * A leaf counts whatever its rights: one that only lacks U/S today is one bit from being a hole.
 * The theorem of the original MinVisor, for the executed run; SVM: section 15.25.
 */
export const nptProtectsHypervisor: Invariant = {
  name: "npt_protects_hypervisor",
  doc: "No guest-physical page maps onto the hypervisor's memory (APM volume 2, section 15.25).",
  check,
};
