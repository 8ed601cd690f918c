/** Rows of the exit ledger in the order of a column: stable, and by digits, as a ledger has millions. */
import { exitName } from "../svm/exits.ts";
import {
  CHUNK_ROWS,
  type LedgerChunk,
  type LedgerTable,
  type WideColumn,
} from "./ledger-columns.ts";

/** A row's key as two words; an order of several has the first as its most significant. */
type Words = (chunk: LedgerChunk, at: number, row: number) => number;
interface SortKey {
  readonly low: Words;
  readonly high?: Words;
}

const WORD = 2 ** 32;

const wide = (column: WideColumn): SortKey => ({
  low: (chunk, at) => chunk[column].words[2 * at] as number,
  high: (chunk, at) => chunk[column].words[2 * at + 1] as number,
});

/** Names in their alphabetical order, made as codes are met. */
function reasonKey(table: Pick<LedgerTable, "chunks">): SortKey {
  const codes = new Set<number>();
  for (const { code } of table.chunks) for (const each of code) codes.add(each);
  const names = [...codes].map((code) => ({ code, name: exitName(code) }));
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  const ranks = new Map(names.map(({ code }, rank) => [code, rank]));
  return { low: (chunk, at) => ranks.get(chunk.code[at] as number) as number };
}

/** An unfinished exit costs less than any other. */
const COST: SortKey = {
  low: (chunk, at) => ((chunk.cost[at] as number) + 1) >>> 0,
  high: (chunk, at) => Math.floor(((chunk.cost[at] as number) + 1) / WORD),
};

/** Exits are numbered as time goes by. */
const NUMBER: SortKey = { low: (_chunk, _at, row) => row };

const SORTS = {
  number: () => [NUMBER],
  reason: (table) => [reasonKey(table)],
  guest: () => [{ low: (chunk, at) => chunk.guest[at] as number }],
  icount: () => [NUMBER],
  cost: () => [COST],
  rip: () => [wide("guestRip")],
  cr3: () => [wide("cr3")],
  info: () => [wide("info1"), wide("info2")],
} as const satisfies Readonly<
  Record<string, (table: Pick<LedgerTable, "chunks">) => readonly SortKey[]>
>;

export type SortBy = keyof typeof SORTS;
export const SORT_KEYS = Object.keys(SORTS) as SortBy[];

const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/** Puts `order` in the order of the digits at `shift`, equals as they were. */
function pass(order: Uint32Array, into: Uint32Array, words: Uint32Array, shift: number): boolean {
  const starts = new Uint32Array(DIGITS + 1);
  const digit = (item: number): number => ((words[item] as number) >>> shift) & (DIGITS - 1);
  for (const item of order) {
    const after = digit(item) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  if (order.length === 0 || starts[digit(order[0] as number) + 1] === order.length) return false;
  for (let i = 1; i <= DIGITS; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  for (const item of order) {
    const at = digit(item);
    into[starts[at] as number] = item;
    starts[at] = (starts[at] as number) + 1;
  }
  return true;
}

/** The rows by a column; those that are equal stay in the order given, in both directions. */
export function sortRows(
  table: Pick<LedgerTable, "chunks">,
  rows: Uint32Array,
  by: SortBy,
  direction: "ascending" | "descending" = "ascending",
): Uint32Array {
  const { length } = rows;
  let order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  let other = new Uint32Array(length);
  const words = new Uint32Array(length);
  const flip = direction === "ascending" ? 0 : WORD - 1;
  const keys: readonly SortKey[] = SORTS[by](table);
  for (const word of keys.toReversed().flatMap(({ low, high }) => (high ? [low, high] : [low]))) {
    for (let i = 0; i < length; i++) {
      const row = rows[i] as number;
      const chunk = table.chunks[Math.floor(row / CHUNK_ROWS)] as LedgerChunk;
      words[i] = word(chunk, row % CHUNK_ROWS, row) ^ flip;
    }
    for (const shift of [0, DIGIT_BITS])
      if (pass(order, other, words, shift)) [order, other] = [other, order];
  }
  return order.map((item) => rows[item] as number);
}
