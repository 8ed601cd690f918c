/** Page tables as last read, one table at a time, each read again only after it was written. */

import { type MachineMemory, PAGE_SIZE } from "../emulator/index.ts";
import {
  EntryKind,
  entriesOf,
  entryKind,
  entryTarget,
  statusBits,
  type TableFormat,
} from "./table-format.ts";

/** One table: what each of its entries is, and where it leads. */
export interface Table {
  readonly address: number;
  readonly bytes: number;
  readonly level: number;
  readonly format: TableFormat;
  /** False if it does not lie in RAM: it then has no entries. */
  readonly readable: boolean;
  readonly kinds: Uint8Array;
  /** Host-physical address of the table or page, for entries that are not `none`. */
  readonly targets: Float64Array;
  /** The entries' bits as they were read: one word or two each, the low one first. */
  readonly words: Int32Array;
  /** All bits of an entry. */
  entry(index: number): bigint;
  isPresent(index: number): boolean;
}

/** Where a table is and how it is read. */
export type TablePlace = Pick<Table, "format" | "level" | "address">;

interface WatchedPage {
  readonly tables: Table[];
  readonly unwatch: () => void;
}

const pageOf = (address: number): number => Math.floor(address / PAGE_SIZE);

/**
 * Holds tables of pages whose writes are watched. Its owner tells it of each physicalWrite and poke
 * event; a table that was written is forgotten, and its page no longer watched, until it is asked
 * for again.
 */
export class TableCache {
  private readonly memory: MachineMemory;
  private readonly pages = new Map<number, WatchedPage>();
  /** Grows with each table that is forgotten: while it stays, what was read still holds. */
  generation = 0;
  /** Tables read from memory so far. */
  scans = 0;

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  table(format: TableFormat, level: number, address: number): Table {
    const place = this.memory.canonical(address);
    const page = this.pages.get(pageOf(place));
    const known = page?.tables.find(
      (t) => t.address === address && t.level === level && t.format === format,
    );
    if (known !== undefined) return known;
    const table = this.scan(format, level, address);
    if (!table.readable) return table;
    if (page !== undefined) page.tables.push(table);
    else {
      const unwatch = this.memory.watchWrites(place);
      this.pages.set(pageOf(place), { tables: [table], unwatch });
    }
    return table;
  }

  /** After a write; true if it made the cache forget a table. */
  written(address: number, size: number, before: bigint, after: bigint): boolean {
    const page = this.pages.get(pageOf(address));
    if (page === undefined) return false;
    const changed = before ^ after;
    if (page.tables.every((table) => !translationChanged(table, address, size, changed))) {
      return false;
    }
    this.forget(pageOf(address), page);
    return true;
  }

  /** After bytes were replaced, with nothing known about how. */
  replaced(address: number): boolean {
    const page = this.pages.get(pageOf(address));
    if (page !== undefined) this.forget(pageOf(address), page);
    return page !== undefined;
  }

  get watchedPages(): number {
    return this.pages.size;
  }

  get places(): readonly TablePlace[] {
    return Array.from(this.pages.values(), ({ tables }) =>
      tables.map(({ format, level, address }) => ({ format, level, address })),
    ).flat();
  }

  /** Reads these tables, and holds no others: writes to them are noticed from now on. */
  hold(places: readonly TablePlace[]): void {
    this.clear();
    for (const { format, level, address } of places) this.table(format, level, address);
  }

  /** Forgets all and watches nothing. */
  clear(): void {
    for (const [number, page] of this.pages) this.forget(number, page);
  }

  private forget(number: number, page: WatchedPage): void {
    page.unwatch();
    this.pages.delete(number);
    this.generation++;
  }

  private scan(format: TableFormat, level: number, address: number): Table {
    this.scans++;
    const pointer = this.memory.pointer(address);
    const count = (entriesOf(format, level) * format.entryBytes) / 4;
    const words =
      pointer < 0
        ? new Int32Array(0)
        : new Int32Array(this.memory.memory.buffer, pointer, count).slice();
    return tableOf({ format, level, address }, words);
  }
}

/** The table that has these words; none where it cannot be read. */
export function tableOf({ format, level, address }: TablePlace, words: Int32Array): Table {
  const readable = words.length > 0;
  const count = entriesOf(format, level);
  const wide = format.entryBytes === 8;
  const kinds = new Uint8Array(readable ? count : 0);
  const targets = new Float64Array(kinds.length);
  for (let i = 0; i < kinds.length; i++) {
    const low = words[wide ? 2 * i : i] as number;
    if ((low & 1) === 0) continue;
    const high = wide ? (words[2 * i + 1] as number) : 0;
    const kind = entryKind(format, level, low, high);
    if (kind === EntryKind.none) continue;
    kinds[i] = kind;
    targets[i] = entryTarget(format, level, kind, low, high);
  }
  const bytes = count * format.entryBytes;
  const low = (index: number): number => words[wide ? 2 * index : index] as number;
  return {
    ...{ address, bytes, level, format, readable, kinds, targets, words },
    entry: (index) => {
      const high = wide ? (words[2 * index + 1] as number) >>> 0 : 0;
      return (BigInt(high) << 32n) | BigInt(low(index) >>> 0);
    },
    isPresent: (index) => (low(index) & 1) !== 0,
  };
}

/** Whether `changed` (the bits written with another value) goes beyond the CPU's own status bits. */
function translationChanged(table: Table, address: number, size: number, changed: bigint): boolean {
  const { entryBytes } = table.format;
  let status = 0n;
  for (let i = 0; i < size; i++) {
    if ((address + i) % entryBytes !== 0) continue;
    status |= statusBits(table.format, table.level) << BigInt(8 * i);
  }
  return (changed & ~status) !== 0n;
}
