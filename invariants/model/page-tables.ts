/** Page tables as collections: leaves, tables and entries, each table read again only after it was written. */
import type { Result } from "../evaluate/value.ts";
import { rangeValue, span, Unknown } from "../evaluate/value.ts";
import { BOOLEAN, INTEGER, listOf, rangeOf, recordOf } from "../language/types.ts";
import type { Table, TableCache } from "../table-cache.ts";
import {
  EntryKind,
  hostFormat,
  type PagingRegisters,
  spanOf,
  statusBits,
  type TableFormat,
} from "../table-format.ts";
import { type TableVisit, tablesFrom } from "../table-tree.ts";
import type { VmrunContext } from "../vmrun-context.ts";
import { defineRecord } from "./record.ts";

const ENTRY_NAMES = ["", "PTE", "PDE", "PDPE", "PML4E"] as const;
const MOST_ELEMENTS = 4_000_000;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

export interface Walk {
  readonly cr3: bigint;
  readonly format: TableFormat;
  readonly visits: readonly TableVisit[];
  /** Made when first asked for: the same value each time, so that it is seen to be unchanged. */
  readonly lists: Map<"leaves" | "entries" | "tables" | "mapped", Result>;
}

/** Keeps the walks of the last few roots for as long as no table of any of them changes. */
export class PageTableWalks {
  readonly cache: TableCache;
  private generation = -1;
  private walks: Walk[] = [];

  constructor(cache: TableCache) {
    this.cache = cache;
  }

  /** In the host's format (section 15.25.3). */
  nested(context: VmrunContext, cr3: bigint): Walk | Unknown {
    if (!context.nestedPaging) return new Unknown("nested paging is off");
    return this.host(context, cr3);
  }

  host(paging: PagingRegisters, cr3: bigint): Walk | Unknown {
    const format = hostFormat(paging);
    return format === undefined
      ? new Unknown("the host runs without paging")
      : this.from(format, cr3);
  }

  private from(format: TableFormat, cr3: bigint): Walk {
    if (this.generation !== this.cache.generation) this.walks = [];
    const known = this.walks.find((walk) => walk.cr3 === cr3 && walk.format === format);
    if (known !== undefined) return known;
    const { cache } = this;
    const visits = tablesFrom(cache, format, cr3);
    const walk: Walk = { cr3, format, visits, lists: new Map() };
    this.generation = cache.generation;
    this.walks = [...this.walks.slice(-7), walk];
    return walk;
  }
}

/** An entry of a table, read once. */
interface EntryHandle {
  readonly visit: TableVisit;
  readonly index: number;
}

const entryAddress = ({ visit: { table }, index }: EntryHandle): number =>
  table.address + index * table.format.entryBytes;
const gpaOf = ({ visit: { table, base }, index }: EntryHandle): number =>
  base + index * spanOf(table.format, table.level);
const entryBits = ({ visit: { table }, index }: EntryHandle): bigint => table.entry(index);
const targetOf = ({ visit: { table }, index }: EntryHandle): number =>
  table.targets[index] as number;
const sizeOfEntry = ({ visit: { table } }: EntryHandle): number =>
  spanOf(table.format, table.level);

const bytesOfEntry = (of: EntryHandle) => ({
  first: entryAddress(of),
  bytes: of.visit.table.format.entryBytes,
  statusBits: statusBits(of.visit.table.format, of.visit.table.level),
});

const nameOfEntry = (of: EntryHandle): string =>
  `the ${ENTRY_NAMES[of.visit.table.level]} at hpa:${hex(entryAddress(of))}`;

const bit = (position: bigint) => (of: EntryHandle) => ((entryBits(of) >> position) & 1n) !== 0n;

const RIGHTS = {
  writable: {
    type: BOOLEAN,
    doc: "R/W of the entry itself, whatever the levels above allow.",
    section: "5.4.1",
    read: bit(1n),
  },
  user: {
    type: BOOLEAN,
    doc: "U/S of the entry itself. Every nested level has to set it.",
    section: "15.25.5",
    read: bit(2n),
  },
  no_execute: { type: BOOLEAN, doc: "NX of the entry itself.", section: "5.6.1", read: bit(63n) },
} as const;

export const LEAF = defineRecord<EntryHandle>("Leaf", {
  doc: "An entry that maps a page.",
  isLive: false,
  describe: (of) => {
    const gpa = gpaOf(of);
    const to = `hpa:${hex(targetOf(of))}..${hex(targetOf(of) + sizeOfEntry(of))}`;
    return `${nameOfEntry(of)}, which maps gpa:${hex(gpa)}..${hex(gpa + sizeOfEntry(of))} onto ${to}`;
  },
  bytes: bytesOfEntry,
  fields: {
    gpa: {
      type: INTEGER,
      doc: "The first address that it translates: guest-physical in nested tables, linear in others.",
      read: (of) => BigInt(gpaOf(of)),
    },
    hpa: { type: INTEGER, doc: "The page's first byte.", read: (of) => BigInt(targetOf(of)) },
    size: { type: INTEGER, doc: "Bytes of the page.", read: (of) => BigInt(sizeOfEntry(of)) },
    range: {
      type: rangeOf("hpa"),
      doc: "The page's bytes.",
      read: (of) => span("hpa", BigInt(targetOf(of)), BigInt(sizeOfEntry(of))),
    },
    gpa_range: {
      type: rangeOf("gpa"),
      doc: "The addresses that it translates, of nested tables.",
      read: (of) => span("gpa", BigInt(gpaOf(of)), BigInt(sizeOfEntry(of))),
    },
    level: {
      type: INTEGER,
      doc: "1 for a page-table entry, 2 for a page-directory entry, and so on.",
      read: (of) => BigInt(of.visit.table.level),
    },
    entry: {
      type: INTEGER,
      doc: "The entry's own address.",
      read: (of) => BigInt(entryAddress(of)),
    },
    value: { type: INTEGER, doc: "The entry's bits.", read: entryBits },
    ...RIGHTS,
  },
});

export const ENTRY = defineRecord<EntryHandle>("Entry", {
  doc: "An entry that is present, whether it maps a page, names a table or has a reserved bit set.",
  isLive: false,
  describe: nameOfEntry,
  bytes: bytesOfEntry,
  fields: {
    hpa: { type: INTEGER, doc: "The entry's own address.", read: (of) => BigInt(entryAddress(of)) },
    gpa: {
      type: INTEGER,
      doc: "The first address that it translates.",
      read: (of) => BigInt(gpaOf(of)),
    },
    value: { type: INTEGER, doc: "The entry's bits.", read: entryBits },
    level: {
      type: INTEGER,
      doc: "Of its table: 1 for the last one.",
      read: (of) => BigInt(of.visit.table.level),
    },
    is_leaf: {
      type: BOOLEAN,
      doc: "Whether it maps a page.",
      read: ({ visit: { table }, index }) => table.kinds[index] === EntryKind.leaf,
    },
    is_reserved: {
      type: BOOLEAN,
      doc: "Whether it has a reserved bit set, so that each use of it faults.",
      section: "5.4.1",
      read: ({ visit: { table }, index }) => table.kinds[index] === EntryKind.none,
    },
    ...RIGHTS,
  },
});

export const TABLE = defineRecord<TableVisit>("Table", {
  doc: "A table that a walk reaches, once for each level at which it does.",
  isLive: false,
  describe: ({ table }) => `the level-${table.level} table at hpa:${hex(table.address)}`,
  bytes: ({ table: { format, level }, namedBy }, { context }) => {
    if (namedBy !== undefined) {
      return {
        first: namedBy,
        bytes: format.entryBytes,
        statusBits: statusBits(format, level + 1),
      };
    }
    return context instanceof Unknown
      ? undefined
      : { first: context.vmcb + 0xb0, bytes: 8, statusBits: 0n };
  },
  fields: {
    hpa: { type: INTEGER, doc: "Its first byte.", read: ({ table }) => BigInt(table.address) },
    range: {
      type: rangeOf("hpa"),
      doc: "Its bytes.",
      read: ({ table }) => span("hpa", BigInt(table.address), BigInt(table.bytes)),
    },
    level: { type: INTEGER, doc: "1 for a page table.", read: ({ table }) => BigInt(table.level) },
    names: {
      type: INTEGER,
      doc: "How many entries name its page, at whatever level; the root register is one.",
      read: ({ names }) => BigInt(names),
    },
  },
});

export const PAGE_TABLES = defineRecord<Walk>("PageTables", {
  doc: "All that a walk can reach from a root.",
  isLive: true,
  describe: ({ cr3 }) => `the page tables at hpa:${hex(cr3)}`,
  fields: {
    root: { type: INTEGER, doc: "The root register's value.", read: ({ cr3 }) => cr3 },
    levels: { type: INTEGER, doc: "2, 3 (PAE) or 4.", read: ({ format }) => BigInt(format.mode) },
    leaves: {
      type: listOf(recordOf("Leaf")),
      doc: "Entries that map a page: table by table, each table's own before those of the tables below it.",
      section: "15.25",
      read: (walk) => list(walk, "leaves", leavesOf),
    },
    entries: {
      type: listOf(recordOf("Entry")),
      doc: "Entries that are present.",
      section: "15.25",
      read: (walk) => list(walk, "entries", presentOf),
    },
    tables: {
      type: listOf(recordOf("Table")),
      doc: "Tables, the top one first.",
      section: "15.25",
      read: (walk) => list(walk, "tables", tablesOf),
    },
    mapped: {
      type: rangeOf("hpa"),
      doc: "All bytes that some leaf maps.",
      read: (walk) => {
        const range = walk.lists.get("mapped") ?? mapped(walk);
        walk.lists.set("mapped", range);
        return range;
      },
    },
  },
});

function list(
  walk: Walk,
  name: "leaves" | "entries" | "tables",
  make: (walk: Walk) => readonly Result[],
): Result {
  const known = walk.lists.get(name);
  if (known !== undefined) return known;
  const elements = make(walk);
  const made: Result =
    elements.length > MOST_ELEMENTS
      ? new Unknown(`there are more than ${MOST_ELEMENTS} elements`)
      : { kind: "list", elements };
  walk.lists.set(name, made);
  return made;
}

const unreadable = (table: Table): Unknown =>
  new Unknown(`the table at hpa:${hex(table.address)} does not lie in RAM`);

/** Those that cannot be read, and so have tables below that nobody knows, a second time as unknown. */
const tablesOf = ({ visits }: Walk): readonly Result[] => [
  ...visits.map(TABLE.make),
  ...visits.filter(({ table }) => !table.readable).map(({ table }) => unreadable(table)),
];
const leavesOf = (walk: Walk): readonly Result[] =>
  collect(walk, (table, index) => table.kinds[index] === EntryKind.leaf, LEAF.make);
const presentOf = (walk: Walk): readonly Result[] =>
  collect(walk, (table, index) => table.isPresent(index), ENTRY.make);

/** Entries of all tables; one element too many at the most. */
function collect(
  { visits }: Walk,
  isWanted: (table: Table, index: number) => boolean,
  make: (of: EntryHandle) => Result,
): readonly Result[] {
  const found: Result[] = [];
  for (const visit of visits) {
    const { table } = visit;
    if (!table.readable) found.push(unreadable(table));
    for (let index = 0; index < table.kinds.length; index++) {
      if (isWanted(table, index)) found.push(make({ visit, index }));
      if (found.length > MOST_ELEMENTS) return found;
    }
  }
  return found;
}

function mapped(walk: Walk): Result {
  const bounds: { first: bigint; end: bigint }[] = [];
  for (const visit of walk.visits) {
    const { table } = visit;
    if (!table.readable) return unreadable(table);
    const bytes = BigInt(spanOf(table.format, table.level));
    for (let index = 0; index < table.kinds.length; index++) {
      if (table.kinds[index] !== EntryKind.leaf) continue;
      const first = BigInt(table.targets[index] as number);
      bounds.push({ first, end: first + bytes });
    }
  }
  return rangeValue("hpa", bounds);
}
