/** Whether page tables give less than they gave: what a TLB that was not flushed may still know. */
import type { Walk } from "./model/page-tables.ts";
import type { Table } from "./table-cache.ts";
import { EntryKind, spanOf, type TableFormat } from "./table-format.ts";
import type { TableVisit } from "./table-tree.ts";

/** Of a walk, what translates. */
export interface SeenTables extends Pick<Walk, "cr3" | "format"> {
  readonly visits: readonly Pick<TableVisit, "table">[];
}

/** What translates some aligned piece of the address space: a table, or a page of which it is a part. */
interface Piece {
  readonly table: Table | undefined;
  /** Of the page's first byte. */
  readonly target: number;
  /** Rights that an entry on the way denies: R/W and U/S where they are clear, and NX. */
  readonly denied: bigint;
}

const ALL_RIGHTS = 0n;

/**
 * Whether some address is translated otherwise, or allows less. An entry that was not present is in
 * no TLB; a large page that was split into small ones, or made of them, gives the same.
 */
export function narrows(before: SeenTables, after: SeenTables): boolean {
  if (before === after) return false;
  if (before.format !== after.format) return true;
  const comparison = new Comparison(before, after);
  return comparison.narrows(before.format.mode, rootOf(before), rootOf(after));
}

const rootOf = ({ visits }: SeenTables): Piece => ({
  table: visits[0]?.table,
  target: 0,
  denied: ALL_RIGHTS,
});

class Comparison {
  private readonly format: TableFormat;
  private readonly before: ReadonlyMap<number, Table>;
  private readonly after: ReadonlyMap<number, Table>;
  /** Pieces that were compared: tables are reached by several ways, and loop. */
  private readonly seen = new Set<string>();

  constructor(before: SeenTables, after: SeenTables) {
    this.format = before.format;
    this.before = tablesOf(before);
    this.after = tablesOf(after);
  }

  /** Of two pieces that a table of this level translates, or would. */
  narrows(level: number, before: Piece, after: Piece): boolean {
    const isDenied = (after.denied & ~before.denied) !== 0n;
    if (before.table === undefined && after.table === undefined) {
      return isDenied || before.target !== after.target;
    }
    const key = `${level} ${nameOf(before)} ${nameOf(after)}`;
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    // Pages of the same table are the same; what tables it names may have changed.
    const isSame = before.table === after.table && !isDenied;
    const kinds = (before.table ?? after.table)?.kinds ?? [];
    for (let i = 0; i < kinds.length; i++) {
      if (isSame && kinds[i] === EntryKind.leaf) continue;
      const was = this.part(level, before, i, this.before);
      if (was === undefined) continue;
      const is = this.part(level, after, i, this.after);
      if (is === undefined || this.narrows(level - 1, was, is)) return true;
    }
    return false;
  }

  /** What entry i of a table of this level gives; undefined where it is not present. */
  private part(
    level: number,
    { table, target, denied }: Piece,
    i: number,
    tables: ReadonlyMap<number, Table>,
  ): Piece | undefined {
    if (table === undefined) {
      return { table, target: target + i * spanOf(this.format, level), denied };
    }
    const kind = table.kinds[i] ?? EntryKind.none;
    if (kind === EntryKind.none) return undefined;
    const to = table.targets[i] as number;
    const all = denied | deniedBy(table, i);
    if (kind === EntryKind.leaf) return { table: undefined, target: to, denied: all };
    return { table: tables.get(to + level - 1), target: to, denied: all };
  }
}

const nameOf = ({ table, target, denied }: Piece): string =>
  `${table === undefined ? "page" : "table"} ${table?.address ?? target} ${denied}`;

const tablesOf = ({ visits }: SeenTables): ReadonlyMap<number, Table> =>
  new Map(visits.map(({ table }) => [table.address + table.level, table]));

/** Entries of a legacy-PAE top table have no rights. */
function deniedBy({ format: { mode }, level, entry }: Table, i: number): bigint {
  return mode === 3 && level === 3 ? ALL_RIGHTS : (entry(i) ^ 6n) & ((1n << 63n) | 6n);
}
