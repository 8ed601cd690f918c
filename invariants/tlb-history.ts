/** What VMRUNs have let the TLB keep of the nested tables: whether an ASID may go by old translations. */
import { TlbControl } from "../emulator/index.ts";
import { type Result, Unknown } from "./evaluate/value.ts";
import type { Walk } from "./model/page-tables.ts";
import type { View } from "./model/view.ts";
import type { Table } from "./table-cache.ts";
import { EntryKind, rootAddress, type TableFormat } from "./table-format.ts";
import type { TableVisit } from "./table-tree.ts";

/** Of a walk, what translates. */
export interface SeenTables extends Pick<Walk, "cr3" | "format"> {
  readonly visits: readonly Pick<TableVisit, "table">[];
}

interface Use {
  /** The tables as they were at the ASID's last VMRUN. */
  readonly walk: SeenTables;
  /** They had been narrowed before, and nothing has flushed the ASID since. */
  readonly isStale: boolean;
}

/** ASIDs and what they last ran with. */
export type TlbState = ReadonlyMap<number, Use>;

export class TlbHistory {
  private uses: TlbState = new Map();

  /** Whether the ASID of the VMCB may have translations that the nested tables no longer give. */
  isStale(view: View): Result {
    const walk = walkOf(view);
    if (walk instanceof Unknown) return walk;
    const use = view.context instanceof Unknown ? undefined : this.uses.get(view.context.asid);
    return use !== undefined && (use.isStale || narrows(use.walk, walk));
  }

  /** After what is judged at a VMRUN: section 15.16.2 says what its TLB_CONTROL flushes. */
  vmrun(view: View): void {
    const { context } = view;
    const walk = walkOf(view);
    if (context instanceof Unknown || walk instanceof Unknown) return;
    const control = view.vmcbAt(context.vmcb).read("TLB_CONTROL");
    const isFlushed = control !== TlbControl.none;
    const isStale = !isFlushed && this.isStale(view) === true;
    const others = control === TlbControl.flushAll ? [] : this.uses;
    this.uses = new Map([...others, [context.asid, { walk, isStale }]]);
  }

  save(): TlbState {
    return this.uses;
  }

  restore(saved: TlbState): void {
    this.uses = saved;
  }
}

function walkOf({ context, walks }: View): Walk | Unknown {
  if (context instanceof Unknown) return context;
  return walks.nested(context, context.nestedCr3);
}

/** Whether some address is translated otherwise, or allows less. An entry that was not present is in no TLB. */
function narrows(before: SeenTables, after: Walk): boolean {
  if (before === after) return false;
  const { format } = before;
  if (format !== after.format || rootOf(before) !== rootOf(after)) return true;
  const tables = new Map(after.visits.map(({ table }) => [keyOf(table), table]));
  return before.visits.some(({ table }) => {
    const now = tables.get(keyOf(table));
    // What is no longer reached was named by an entry that has changed.
    return now !== undefined && now !== table && tableNarrows(format, table, now);
  });
}

const rootOf = ({ format, cr3 }: SeenTables): number => rootAddress(format, cr3);
const keyOf = ({ address, level }: Table): number => address + level;

function tableNarrows({ mode }: TableFormat, before: Table, after: Table): boolean {
  const hasRights = mode !== 3 || before.level < 3;
  for (let i = 0; i < before.kinds.length; i++) {
    if (before.kinds[i] === EntryKind.none) continue;
    if (before.kinds[i] !== after.kinds[i] || before.targets[i] !== after.targets[i]) return true;
    if (hasRights && (denied(after.entry(i)) & ~denied(before.entry(i))) !== 0n) return true;
  }
  return false;
}

/** R/W and U/S where they are clear, and NX. */
const denied = (entry: bigint): bigint => (entry ^ 6n) & ((1n << 63n) | 6n);
