// One unit's line table: its rows, looked up by address and by file and line.
import { type LineHeader, readLineHeader } from "./line-header.ts";
import { type LineRow, runLineProgram } from "./line-program.ts";
import { FormatError } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

/** Contiguous code: rows by ascending address without the end row. */
interface Sequence {
  readonly start: bigint;
  readonly end: bigint;
  readonly rows: readonly LineRow[];
}

/** An address at which the debugger may stop for a line. */
export interface StatementStart {
  readonly line: number;
  readonly column: number;
  readonly address: bigint;
}

/**
 * Rows are run at the first lookup. A damaged program keeps the rows before the damage and says so
 * in `problem`. Sequences outside `isLoaded` are those of functions that the linker dropped.
 */
export class LineTable {
  readonly header: LineHeader;
  problem: string | undefined;
  private readonly isLoaded: (address: bigint) => boolean;
  private cache: { rows: LineRow[]; sequences: Sequence[] } | undefined;
  private starts: Map<number, StatementStart[]> | undefined;

  constructor(
    sections: DwarfSections,
    offset: number,
    compDir: string,
    isLoaded: (address: bigint) => boolean = () => true,
  ) {
    this.header = readLineHeader(sections, offset, compDir);
    this.isLoaded = isLoaded;
  }

  /** All rows in the order of the program. */
  get rows(): readonly LineRow[] {
    return this.load().rows;
  }

  get ranges(): readonly { readonly start: bigint; readonly end: bigint }[] {
    return this.load().sequences;
  }

  pathOf(file: number): string {
    return this.header.files[file] ?? "";
  }

  /**
   * The row whose instructions hold `address`: the last of several at one address, but rather one
   * that begins a statement, so that a stop at a breakpoint shows the breakpoint's line.
   */
  rowAt(address: bigint): LineRow | undefined {
    const { sequences } = this.load();
    for (let i = lastWhere(sequences, (each) => each.start <= address); i >= 0; i--) {
      const { end, rows } = sequences[i]!;
      if (address >= end) continue;
      const last = lastWhere(rows, (row) => row.address <= address);
      for (let at = last; rows[at]?.address === rows[last]!.address; at--) {
        if (rows[at]!.isStatement) return rows[at];
      }
      return rows[last];
    }
    return undefined;
  }

  /** Where the statements of a file begin, by line and then address. */
  statementsOf(file: number): readonly StatementStart[] {
    this.starts ??= findStatements(this.load().sequences);
    return this.starts.get(file) ?? [];
  }

  /**
   * Where the body of the function [low, high) begins: the row marked as the prologue's end, else
   * the second row with another address, as compilers emit one row for the prologue.
   */
  bodyOf(low: bigint, high: bigint): bigint {
    let second: bigint | undefined;
    for (const { start, end, rows } of this.load().sequences) {
      if (low < start || low >= end) continue;
      for (let i = lastWhere(rows, (row) => row.address < low) + 1; i < rows.length; i++) {
        const row = rows[i]!;
        if (row.address >= high) break;
        if (row.prologueEnd) return row.address;
        if (row.address > low && row.line !== 0) second ??= row.address;
      }
    }
    return second ?? low;
  }

  private load() {
    if (this.cache) return this.cache;
    const rows: LineRow[] = [];
    try {
      runLineProgram(this.header, rows);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.problem = error.message;
    }
    this.cache = { rows, sequences: splitSequences(rows, this.isLoaded) };
    return this.cache;
  }
}

function splitSequences(rows: readonly LineRow[], isLoaded: (address: bigint) => boolean) {
  const sequences: Sequence[] = [];
  let first = 0;
  for (let i = 0; i < rows.length; i++) {
    if (!rows[i]!.endSequence) continue;
    const inside = rows.slice(first, i);
    inside.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    const [start, end] = [inside[0]?.address ?? 0n, rows[i]!.address];
    if (inside.length > 0 && start < end && isLoaded(start)) {
      sequences.push({ start, end, rows: inside });
    }
    first = i + 1;
  }
  return sequences.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

/**
 * The first row of each run of rows of one line. A row that another statement follows at the same
 * address would not be shown at a stop: it counts only for a line that has no better one.
 */
function findStatements(sequences: readonly Sequence[]): Map<number, StatementStart[]> {
  const found = new Map<number, { start: StatementStart; isShown: boolean }[]>();
  for (const { rows } of sequences) {
    for (const [i, row] of rows.entries()) {
      if (!row.isStatement || row.line === 0) continue;
      const before = rows[i - 1];
      const continues = before?.isStatement && before.line === row.line && before.file === row.file;
      if (continues && before.address !== row.address) continue;
      let isShown = true;
      for (let next = i + 1; rows[next]?.address === row.address; next++) {
        if (rows[next]!.isStatement && rows[next]!.line !== row.line) isShown = false;
      }
      const { line, column, address } = row;
      const list = found.get(row.file) ?? [];
      list.push({ start: { line, column, address }, isShown });
      found.set(row.file, list);
    }
  }
  const result = new Map<number, StatementStart[]>();
  for (const [file, list] of found) {
    const shown = new Set(list.filter((each) => each.isShown).map((each) => each.start.line));
    const kept = list.filter((each) => each.isShown || !shown.has(each.start.line));
    result.set(file, kept.map((each) => each.start).sort(byLineThenAddress));
  }
  return result;
}

function byLineThenAddress(a: StatementStart, b: StatementStart): number {
  return a.line - b.line || (a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
}

/** The index of the last element that satisfies `test`, which holds for a prefix of `list`. */
function lastWhere<T>(list: readonly T[], test: (element: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
