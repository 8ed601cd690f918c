/** Rows of the exit ledger in the order of a column: stable, and by digits, as a ledger has millions. */
import { exitName } from "../svm/exits.ts";
import {
  CHUNK_ROWS,
  type LedgerChunk,
  type LedgerTable,
  type WideColumn,
} from "./ledger-columns.ts";
import { setRanks } from "./ledger-ranks.ts";

type Rows = Uint32Array;
type Chunks = readonly LedgerChunk[];

/** Sets one word of the rows' keys; an order of several has the first as its most significant. */
type KeyWord = (chunks: Chunks, rows: Rows, words: Uint32Array) => void;

/** A word from a column: every `stride`-th of the numbers in which a chunk has it. */
function fromColumn(
  column: (chunk: LedgerChunk) => Uint32Array | Uint16Array,
  stride = 1,
  offset = 0,
  flip = 0,
): KeyWord {
  return (chunks, rows, words) => {
    let first = Number.NaN;
    let values: Uint32Array | Uint16Array = words;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      // Rows come in their order: those of a chunk are together.
      if (!(row >= first && row < first + CHUNK_ROWS)) {
        const chunk = Math.floor(row / CHUNK_ROWS);
        first = chunk * CHUNK_ROWS;
        values = column(chunks[chunk] as LedgerChunk);
      }
      words[i] = (values[stride * (row - first) + offset] as number) ^ flip;
    }
  };
}

/** A column of 64 bits: its ranks, or where it has too many values its two words. */
interface WideKey {
  readonly ranked: WideColumn;
  readonly words: readonly KeyWord[];
}

const wide = (column: WideColumn): WideKey => ({
  ranked: column,
  words: [1, 0].map((half) => fromColumn((chunk) => chunk[column].words, 2, half)),
});

/** Sets the words of a key one after the other, the least significant first. */
function* leastFirst(
  keys: readonly (KeyWord | WideKey)[],
  chunks: Chunks,
  rows: Rows,
  words: Uint32Array,
): Generator<undefined, void> {
  for (const key of keys.toReversed()) {
    if (typeof key !== "function" && setRanks(chunks, rows, key.ranked, words)) {
      yield undefined;
      continue;
    }
    for (const word of typeof key === "function" ? [key] : key.words.toReversed()) {
      word(chunks, rows, words);
      yield undefined;
    }
  }
}

/** Names in their alphabetical order. */
const REASON: KeyWord = (chunks, rows, words) => {
  const codes = new Map<number, number>();
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const code = (chunks[Math.floor(row / CHUNK_ROWS)] as LedgerChunk).code[row % CHUNK_ROWS];
    const seen = codes.get(code as number) ?? codes.size;
    if (seen === codes.size) codes.set(code as number, seen);
    words[i] = seen;
  }
  const names = [...codes].map(([code, seen]) => ({ seen, name: exitName(code) }));
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  const ranks = new Uint32Array(names.length);
  for (const [rank, { seen }] of names.entries()) ranks[seen] = rank;
  for (let i = 0; i < words.length; i++) words[i] = ranks[words[i] as number] as number;
};

/**
 * The bits of a double that is not negative are in the order of the numbers; with its sign turned the
 * cost of an unfinished exit, which is -1, is less than any other.
 */
const SIGN = 0x8000_0000;
const costWords = ({ cost }: LedgerChunk): Uint32Array =>
  new Uint32Array(cost.buffer, cost.byteOffset, 2 * cost.length);

/** Exits are numbered as time goes by. */
const NUMBER: KeyWord = (_chunks, rows, words) => words.set(rows);

const SORTS = {
  number: [NUMBER],
  reason: [REASON],
  guest: [fromColumn((chunk) => chunk.guest)],
  icount: [NUMBER],
  cost: [fromColumn(costWords, 2, 1, SIGN), fromColumn(costWords, 2, 0)],
  rip: [wide("guestRip")],
  cr3: [wide("cr3")],
  info: [wide("info1"), wide("info2")],
} as const satisfies Readonly<Record<string, readonly (KeyWord | WideKey)[]>>;

export type SortBy = keyof typeof SORTS;
export const SORT_KEYS = Object.keys(SORTS) as SortBy[];

/** A pass has so few places to write at that they stay in the cache. */
const DIGIT_BITS = 11;
const starts = new Uint32Array(1 << DIGIT_BITS);

/** Items, and one word of the key of each. */
interface Keyed {
  readonly items: Uint32Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
}

/** Puts what is in `from` in the order of a digit, equals as they were. */
function pass(from: Keyed, into: Keyed, shift: number, bits: number): void {
  const { items, words } = from;
  const mask = (1 << bits) - 1;
  starts.fill(0);
  for (let i = 0; i < words.length; i++) {
    const digit = ((words[i] as number) >>> shift) & mask;
    starts[digit] = (starts[digit] as number) + 1;
  }
  for (let digit = 0, sum = 0; digit <= mask; digit++) {
    const count = starts[digit] as number;
    starts[digit] = sum;
    sum += count;
  }
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const digit = (word >>> shift) & mask;
    const at = starts[digit] as number;
    starts[digit] = at + 1;
    into.items[at] = items[i] as number;
    into.words[at] = word;
  }
}

/** Sets the items' words, turned by `flip`; returns the bits in which they differ at all. */
function setWords({ items, words }: Keyed, from: Uint32Array, flip: number): number {
  const first = (from[0] as number) ^ flip;
  let differing = 0;
  for (let i = 0; i < items.length; i++) {
    const word = (from[items[i] as number] as number) ^ flip;
    words[i] = word;
    differing |= word ^ first;
  }
  return differing;
}

const keyed = (length: number): Keyed => ({
  items: new Uint32Array(length),
  words: new Uint32Array(length),
});

/** The rows by a column; those that are equal stay in the order given, in both directions. */
export function sortRows(
  { chunks }: Pick<LedgerTable, "chunks">,
  rows: Uint32Array,
  by: SortBy,
  direction: "ascending" | "descending" = "ascending",
): Uint32Array {
  let [sorted, other] = [keyed(rows.length), keyed(rows.length)];
  for (let i = 0; i < rows.length; i++) sorted.items[i] = i;
  const words = new Uint32Array(rows.length);
  for (const _ of leastFirst(SORTS[by], chunks, rows, words)) {
    const differing = setWords(sorted, words, direction === "ascending" ? 0 : -1);
    if (differing === 0) continue;
    const lowest = 31 - Math.clz32(differing & -differing);
    const width = 32 - Math.clz32(differing) - lowest;
    const digits = Math.ceil(width / DIGIT_BITS);
    const bits = Math.ceil(width / digits);
    for (let digit = 0; digit < digits; digit++) {
      pass(sorted, other, lowest + digit * bits, bits);
      [sorted, other] = [other, sorted];
    }
  }
  const { items } = sorted;
  for (let i = 0; i < items.length; i++) items[i] = rows[items[i] as number] as number;
  return items;
}
