/** Exits as a table for people and programs: text, JSON, CSV and Parquet from one list of columns. */
import { closeSync, openSync, writeSync } from "node:fs";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type ExitRow, exitName, exitRow, type LedgerTable } from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";

type Cell = string | number | bigint | undefined;

/** "hex" is a 64-bit word that people read in hexadecimal. */
export interface Column<Row> {
  readonly name: string;
  readonly kind: "text" | "count" | "hex";
  readonly of: (row: Row) => Cell;
}

export const EXIT_COLUMNS: readonly Column<ExitRow>[] = [
  { name: "number", kind: "count", of: ({ number }) => number },
  { name: "reason", kind: "text", of: ({ code }) => exitName(code) },
  { name: "code", kind: "hex", of: ({ code }) => BigInt.asUintN(64, BigInt(code)) },
  { name: "info1", kind: "hex", of: ({ info1 }) => info1 },
  { name: "info2", kind: "hex", of: ({ info2 }) => info2 },
  { name: "guestRip", kind: "hex", of: ({ guestRip }) => guestRip },
  { name: "cr3", kind: "hex", of: ({ cr3 }) => cr3 },
  { name: "guest", kind: "count", of: ({ guest }) => guest },
  { name: "icount", kind: "count", of: ({ at }) => at.icount },
  { name: "ticks", kind: "count", of: ({ at }) => at.icount + at.idleTicks },
  { name: "cost", kind: "count", of: ({ cost }) => cost },
  { name: "changed", kind: "text", of: ({ changed }) => changed.join(" ") },
];

/** Rows that are made when they are asked for: a ledger's may be millions. */
export interface Rows<Row> {
  readonly length: number;
  readonly at: (index: number) => Row;
}

/** Rows of a ledger: all, or those whose numbers from 0 are given. */
export function ledgerRows(table: LedgerTable, selected?: Uint32Array): Rows<ExitRow> {
  return selected === undefined
    ? { length: table.length, at: (index) => exitRow(table, index) }
    : {
        length: selected.length,
        at: (index) => exitRow(table, selected[index] as number),
      };
}

function shown<Row>({ kind, of }: Column<Row>, row: Row): string | number | undefined {
  const cell = of(row);
  return kind === "hex" && cell !== undefined
    ? `0x${cell.toString(16)}`
    : (cell as string | number);
}

function* json<Row>(columns: readonly Column<Row>[], rows: Rows<Row>): Generator<string> {
  yield "[\n";
  for (let i = 0; i < rows.length; i++) {
    const row = rows.at(i);
    const cells = columns.map((column) => [column.name, shown(column, row) ?? null]);
    yield `${JSON.stringify(Object.fromEntries(cells))}${i + 1 < rows.length ? "," : ""}\n`;
  }
  yield "]\n";
}

function* csv<Row>(columns: readonly Column<Row>[], rows: Rows<Row>): Generator<string> {
  yield `${columns.map(({ name }) => name).join(",")}\n`;
  for (let i = 0; i < rows.length; i++) {
    const row = rows.at(i);
    yield `${columns.map((column) => shown(column, row) ?? "").join(",")}\n`;
  }
}

const PARQUET = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  count: { type: "INT64" },
  hex: { type: "INT64", converted_type: "UINT_64" },
} as const;

function parquet<Row>(columns: readonly Column<Row>[], rows: Rows<Row>): Uint8Array {
  const data = columns.map(({ name, kind, of }) => ({
    name,
    data: Array.from({ length: rows.length }, (_, i) => {
      const cell = of(rows.at(i));
      return typeof cell === "number" ? BigInt(cell) : (cell ?? null);
    }),
    kind,
  }));
  const schema = data.map(({ name, kind, data: cells }) => ({
    name,
    ...PARQUET[kind],
    repetition_type: cells.includes(null) ? ("OPTIONAL" as const) : ("REQUIRED" as const),
  }));
  const buffer = parquetWriteBuffer({
    columnData: data.map(({ name, data: cells }) => ({ name, data: cells })),
    schema: [{ name: "root", num_children: schema.length }, ...schema],
  });
  return new Uint8Array(buffer);
}

/** Columns wide enough for what stands in them. */
export function* asText<Row>(columns: readonly Column<Row>[], rows: Rows<Row>): Generator<string> {
  const cells = [columns.map(({ name }) => name)];
  for (let i = 0; i < rows.length; i++) {
    const row = rows.at(i);
    cells.push(columns.map((column) => String(shown(column, row) ?? "-")));
  }
  const widths = columns.map((_, c) => cells.reduce((w, row) => Math.max(w, row[c]!.length), 0));
  for (const row of cells) {
    const padded = row.map((cell, c) =>
      columns[c]?.kind === "text" ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!),
    );
    yield `${padded.join("  ").trimEnd()}\n`;
  }
}

type Format = "json" | "csv" | "parquet";

/** Puts the pieces into a file; throws BadInput where that cannot be. */
function put(file: string, pieces: Iterable<string | Uint8Array>): void {
  try {
    const descriptor = openSync(file, "w");
    try {
      let pending = "";
      for (const piece of pieces) {
        if (typeof piece !== "string") writeSync(descriptor, piece);
        else pending += piece;
        if (pending.length < 65_536) continue;
        writeSync(descriptor, pending);
        pending = "";
      }
      writeSync(descriptor, pending);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new BadInput(`Exits cannot be written to ${file}: ${(error as Error).message}`);
  }
}

/** Makes an empty file at once, so that a bad path shows before the run. */
export const claimFile = (file: string): void => put(file, []);

export function writeTable<Row>(
  file: string,
  format: Format,
  columns: readonly Column<Row>[],
  rows: Rows<Row>,
): void {
  if (format === "parquet") put(file, [parquet(columns, rows)]);
  else put(file, format === "json" ? json(columns, rows) : csv(columns, rows));
}

/** By the file's ending; undefined for others. */
export function formatOf(file: string): Format | undefined {
  const ending = file.slice(file.lastIndexOf(".") + 1);
  return ending === "json" || ending === "csv" || ending === "parquet" ? ending : undefined;
}
