/** The tables that a walk can reach from a root, each once, with the first way there. */
import { PAGE_SIZE } from "../emulator/index.ts";
import type { Table, TableCache } from "./table-cache.ts";
import { EntryKind, rootAddress, spanOf, type TableFormat } from "./table-format.ts";

/** A table and how a walk comes to it. */
export interface TableVisit {
  readonly table: Table;
  /** The first address that is translated through it. */
  readonly base: number;
  /** Host-physical address of the entry that names it; undefined for the top table. */
  readonly namedBy: number | undefined;
  /** Entries that name its page, at whatever level, and the root register that does. */
  readonly names: number;
}

/**
 * In the order of the addresses translated. A table that is reached again at the same level (an
 * alias, or tables that map themselves) is not visited again: what lies below it is the same.
 */
export function tablesFrom(cache: TableCache, format: TableFormat, cr3: bigint): TableVisit[] {
  const visits: Omit<TableVisit, "names">[] = [];
  const seen = new Set<number>();
  const names = new Map<number, number>();
  const pageOf = (address: number): number => Math.floor(address / PAGE_SIZE);
  const visit = (level: number, address: number, base: number, namedBy: number | undefined) => {
    names.set(pageOf(address), (names.get(pageOf(address)) ?? 0) + 1);
    // Tables are at least 32-byte aligned, so that the level fits below the address.
    const key = address + level;
    if (seen.has(key)) return;
    seen.add(key);
    const table = cache.table(format, level, address);
    visits.push({ table, base, namedBy });
    const { kinds, targets } = table;
    if (level === 1) return;
    const span = spanOf(format, level);
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] !== EntryKind.table) continue;
      visit(level - 1, targets[i] as number, base + i * span, address + i * format.entryBytes);
    }
  };
  visit(format.mode, rootAddress(format, cr3), 0, undefined);
  return visits.map((each) => ({ ...each, names: names.get(pageOf(each.table.address)) ?? 0 }));
}
