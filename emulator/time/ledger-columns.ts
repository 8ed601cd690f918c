/** The columns of the exit ledger: typed arrays in chunks, some eighty bytes an exit. */
import { VMCB_FIELDS } from "../svm/vmcb.ts";

/** Rows of a chunk: what a ledger grows by. */
export const CHUNK_ROWS = 16_384;

/** Words of a row's set of VMCB fields, a bit a field in the order of VMCB_FIELDS. */
export const CHANGED_WORDS = Math.ceil(Object.keys(VMCB_FIELDS).length / 32);

/** `cost` of an exit after which no VMRUN has come yet. */
export const UNFINISHED = -1;

/** 64-bit columns: written as one bigint, read as two words, the low one first (as all hosts of WebAssembly have them). */
export const WIDE_COLUMNS = ["info1", "info2", "guestRip", "cr3"] as const;
/** Columns of numbers. */
export const NUMBER_COLUMNS = [
  "code",
  "guest",
  "icount",
  "idleTicks",
  "events",
  "cost",
  "ecx",
] as const;

export type WideColumn = (typeof WIDE_COLUMNS)[number];
export type NumberColumn = (typeof NUMBER_COLUMNS)[number];

class Wide {
  readonly words = new Uint32Array(2 * CHUNK_ROWS);
  readonly values = new BigUint64Array(this.words.buffer);
}

export class LedgerChunk {
  readonly code = new Int32Array(CHUNK_ROWS);
  readonly guest = new Uint16Array(CHUNK_ROWS);
  readonly icount = new Float64Array(CHUNK_ROWS);
  readonly idleTicks = new Float64Array(CHUNK_ROWS);
  readonly events = new Float64Array(CHUNK_ROWS);
  readonly cost = new Float64Array(CHUNK_ROWS);
  /** The guest's: the number of an MSR where the exit is of one. */
  readonly ecx = new Uint32Array(CHUNK_ROWS);
  readonly info1 = new Wide();
  readonly info2 = new Wide();
  readonly guestRip = new Wide();
  readonly cr3 = new Wide();
  readonly changed = new Uint32Array(CHANGED_WORDS * CHUNK_ROWS);

  copy(): LedgerChunk {
    const other = new LedgerChunk();
    for (const column of NUMBER_COLUMNS) other[column].set(this[column]);
    for (const column of WIDE_COLUMNS) other[column].words.set(this[column].words);
    other.changed.set(this.changed);
    return other;
  }
}

/** Bytes that a row takes. */
export const ROW_BYTES = 4 + 2 + 4 * 8 + 4 + WIDE_COLUMNS.length * 8 + CHANGED_WORDS * 4;

/**
 * All rows, in the order of their exits. Going back makes it shorter; the rows beyond stay in memory,
 * so that a length that it had comes back without a run.
 */
export class LedgerTable {
  private all: LedgerChunk[] = [];
  private count = 0;
  private made = 0;

  get length(): number {
    return this.count;
  }

  /** Rows in memory, those of the future of the present instant among them. */
  get extent(): number {
    return this.made;
  }

  get chunks(): readonly LedgerChunk[] {
    return this.all;
  }

  /** The chunk of a row in memory; its index there is `row % CHUNK_ROWS`. */
  chunkOf(row: number): LedgerChunk {
    if (row < 0 || row >= this.made) throw new Error(`The ledger has no row ${row}`);
    return this.all[Math.floor(row / CHUNK_ROWS)] as LedgerChunk;
  }

  /** Makes one more row, with what was there before in it; returns its number. */
  add(): number {
    if (this.count === this.all.length * CHUNK_ROWS) this.all.push(new LedgerChunk());
    this.made = Math.max(this.made, this.count + 1);
    return this.count++;
  }

  /** What lies in the future will not come: it is in the table returned, which shares what both have. */
  fork(): LedgerTable {
    const left = new LedgerTable();
    left.exchange(this);
    // The last row may go on otherwise in each of them.
    const shared = Math.floor(Math.max(0, left.count - 1) / CHUNK_ROWS);
    const own = left.count === 0 ? [] : left.all.slice(shared, shared + 1);
    this.all = [...left.all.slice(0, shared), ...own.map((chunk) => chunk.copy())];
    this.count = left.count;
    this.made = left.count;
    return left;
  }

  /** A table of the first so many rows, which shares what it can. */
  upTo(rows: number): LedgerTable {
    const length = this.count;
    this.goTo(rows);
    const table = this.fork();
    this.exchange(table);
    this.goTo(length);
    return table;
  }

  /** Each has the rows of the other. */
  exchange(other: LedgerTable): void {
    [this.all, other.all] = [other.all, this.all];
    [this.count, other.count] = [other.count, this.count];
    [this.made, other.made] = [other.made, this.made];
  }

  /** A copy in which all rows in memory have come. */
  whole(): LedgerTable {
    const table = new LedgerTable();
    table.all.push(...this.all.map((chunk) => chunk.copy()));
    table.made = this.made;
    table.count = this.made;
    return table;
  }

  /** The same rows, of which none has come yet: those of a run that is to be gone through again. */
  ahead(): LedgerTable {
    const table = this.whole();
    table.made = this.count;
    table.count = 0;
    return table;
  }

  /** Goes to a length that it has had. */
  goTo(length: number): void {
    if (length > this.made) throw new Error(`The ledger never had ${length} rows`);
    this.count = length;
  }
}
