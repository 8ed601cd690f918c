// The line tables of all units: address to source, and source line to addresses.
import type { DebugInfo } from "./dwarf/info.ts";
import { LineTable, type StatementStart } from "./dwarf/line-table.ts";
import { FormatError } from "./dwarf/reader.ts";
import type { Unit } from "./dwarf/unit.ts";
import { normalizePath } from "./source-path.ts";

export interface SourceLocation {
  /** Normalised and absolute where the compiler gave its directory. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1; 0 where the compiler gave none. */
  readonly column: number;
}

interface SourceFile {
  readonly table: LineTable;
  readonly file: number;
}

/** Tables are read when a lookup needs them; headers of all units when a file is looked for. */
export class SourceIndex {
  private readonly headerProblems: string[] = [];
  private readonly info: DebugInfo;
  private readonly isLoaded: (address: bigint) => boolean;
  private readonly tables = new Map<Unit, LineTable | undefined>();
  private readonly byOffset = new Map<number, LineTable>();
  private files: Map<string, SourceFile[]> | undefined;

  constructor(info: DebugInfo, isLoaded: (address: bigint) => boolean) {
    this.info = info;
    this.isLoaded = isLoaded;
  }

  get problems(): string[] {
    const tables = [...this.byOffset.values()];
    return [...this.headerProblems, ...tables.flatMap((table) => table.problem ?? [])];
  }

  /** The line table of a unit; units made of one source share it. */
  tableOf(unit: Unit): LineTable | undefined {
    if (this.tables.has(unit)) return this.tables.get(unit);
    const table = this.readTable(unit);
    this.tables.set(unit, table);
    return table;
  }

  /** The source of the instruction at `address`, which lies in `unit`. */
  locate(unit: Unit, address: bigint): SourceLocation | undefined {
    const table = this.tableOf(unit);
    const row = table?.rowAt(address);
    if (!table || !row || row.line === 0) return undefined;
    return { path: table.pathOf(row.file), line: row.line, column: row.column };
  }

  /** The path of a DW_AT_decl_file or DW_AT_call_file number. */
  pathOf(unit: Unit, file: number | undefined): string | undefined {
    const path = file === undefined ? undefined : this.tableOf(unit)?.pathOf(file);
    return path === "" ? undefined : path;
  }

  /** Paths of all files that have code or are named by a unit. */
  paths(): string[] {
    return [...this.index().keys()];
  }

  /**
   * The file that `path` means: itself, or the one relative path that it ends with (compilers give
   * relative paths where the build maps its prefix away). Undefined where none or several fit.
   */
  match(path: string): string | undefined {
    const wanted = normalizePath(path);
    const index = this.index();
    if (index.has(wanted)) return wanted;
    const fits = this.paths().filter(
      (each) => !each.startsWith("/") && wanted.endsWith(`/${each}`),
    );
    const longest = Math.max(...fits.map((each) => each.length));
    const best = fits.filter((each) => each.length === longest);
    return best.length === 1 ? best[0] : undefined;
  }

  /** Statements of the file in all units, by line and then address. */
  statementsOf(path: string): StatementStart[] {
    const seen = new Set<string>();
    const all: StatementStart[] = [];
    for (const { table, file } of this.index().get(normalizePath(path)) ?? []) {
      for (const start of table.statementsOf(file)) {
        const key = `${start.line}@${start.address}`;
        if (seen.has(key)) continue;
        seen.add(key);
        all.push(start);
      }
    }
    return all.sort((a, b) => a.line - b.line || (a.address < b.address ? -1 : 1));
  }

  private index(): Map<string, SourceFile[]> {
    if (this.files) return this.files;
    this.files = new Map();
    const tables = new Set(this.info.units.map((unit) => this.tableOf(unit)));
    for (const table of tables) {
      if (!table) continue;
      for (const [file, path] of table.header.files.entries()) {
        if (path === "") continue;
        const known = this.files.get(path);
        if (!known) this.files.set(path, [{ table, file }]);
        else known.push({ table, file });
      }
    }
    return this.files;
  }

  private readTable(unit: Unit): LineTable | undefined {
    const offset = unit.lineOffset;
    if (offset === undefined) return undefined;
    const known = this.byOffset.get(offset);
    if (known) return known;
    try {
      const table = new LineTable(this.info.sections, offset, unit.compDir, this.isLoaded);
      this.byOffset.set(offset, table);
      return table;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.headerProblems.push(error.message);
      return undefined;
    }
  }
}
