/** Which rows of the exit ledger fulfil conditions. */
import type { VmcbFieldName } from "../svm/vmcb.ts";
import { changedBit } from "./ledger.ts";
import {
  CHANGED_WORDS,
  CHUNK_ROWS,
  type LedgerChunk,
  type LedgerTable,
  type NumberColumn,
  UNFINISHED,
  type WideColumn,
} from "./ledger-columns.ts";

/** What must hold of a row. Both ends of a range belong to it; a missing end is open. */
export type LedgerCondition =
  /** EXITCODE, as a signed number, is one of these, or (`not`) none of them. */
  | { readonly kind: "reason"; readonly codes: readonly number[]; readonly not?: boolean }
  | { readonly kind: "guest"; readonly guests: readonly number[] }
  /** Exits' numbers, from 1. */
  | { readonly kind: "number"; readonly min?: number; readonly max?: number }
  /** An unfinished exit has no cost, and is in no range of costs. */
  | {
      readonly kind: "range";
      readonly column: NumberColumn;
      readonly min?: number;
      readonly max?: number;
    }
  | {
      readonly kind: "wide";
      readonly column: WideColumn;
      readonly min?: bigint;
      readonly max?: bigint;
    }
  | { readonly kind: "changed"; readonly field: VmcbFieldName };

/** Keeps those of the chunk's `count` candidates that fulfil a condition; returns how many. */
type Sieve = (chunk: LedgerChunk, first: number, rows: Uint16Array, count: number) => number;

type ConditionOf<K extends LedgerCondition["kind"]> = LedgerCondition & { kind: K };

const SIEVES: {
  readonly [K in LedgerCondition["kind"]]: (condition: ConditionOf<K>) => Sieve;
} = {
  reason: ({ codes, not }) => among((chunk) => chunk.code, codes, not),
  guest: ({ guests }) => among((chunk) => chunk.guest, guests),
  number: ({ min = 1, max = Number.POSITIVE_INFINITY }) =>
    sieve((first, at) => first + at + 1 >= min && first + at + 1 <= max),
  range: ({ column, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }) => {
    const least = column === "cost" ? Math.max(min, UNFINISHED + 1) : min;
    return (chunk, _first, rows, count) => {
      const values = chunk[column];
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const at = rows[i] as number;
        const value = values[at] as number;
        if (value >= least && value <= max) rows[kept++] = at;
      }
      return kept;
    };
  },
  wide: ({ column, min = 0n, max = 0xffff_ffff_ffff_ffffn }) => wideRange(column, min, max),
  changed: ({ field }) => {
    const { word, mask } = changedBit(field);
    return (chunk, _first, rows, count) => {
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const at = rows[i] as number;
        if (((chunk.changed[at * CHANGED_WORDS + word] as number) & mask) !== 0) rows[kept++] = at;
      }
      return kept;
    };
  },
};

function sieve(holds: (first: number, at: number) => boolean): Sieve {
  return (_chunk, first, rows, count) => {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      if (holds(first, at)) rows[kept++] = at;
    }
    return kept;
  };
}

function among(
  column: (chunk: LedgerChunk) => Int32Array | Uint16Array,
  wanted: readonly number[],
  not = false,
): Sieve {
  const set = new Set(wanted);
  return (chunk, _first, rows, count) => {
    const values = column(chunk);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      if (set.has(values[at] as number) !== not) rows[kept++] = at;
    }
    return kept;
  };
}

/** Compares two words at a time: bigints would be made for every row. */
function wideRange(column: WideColumn, min: bigint, max: bigint): Sieve {
  const [minLow, minHigh] = [Number(BigInt.asUintN(32, min)), Number(min >> 32n)];
  const [maxLow, maxHigh] = [Number(BigInt.asUintN(32, max)), Number(max >> 32n)];
  return (chunk, _first, rows, count) => {
    const { words } = chunk[column];
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      const [low, high] = [words[2 * at] as number, words[2 * at + 1] as number];
      if (high < minHigh || (high === minHigh && low < minLow)) continue;
      if (high > maxHigh || (high === maxHigh && low > maxLow)) continue;
      rows[kept++] = at;
    }
    return kept;
  };
}

/** Rows to ask about: a table's up to the present, or as many of them as are in memory. */
export type LedgerRows = Pick<LedgerTable, "chunks" | "length">;

/** Calls back with each chunk's rows that fulfil all conditions: indexes in it, of which `count` are valid. */
export function visit(
  table: LedgerRows,
  conditions: readonly LedgerCondition[],
  take: (chunk: LedgerChunk, first: number, rows: Uint16Array, count: number) => void,
): void {
  const sieves = conditions.map((condition) =>
    (SIEVES[condition.kind] as (condition: LedgerCondition) => Sieve)(condition),
  );
  const rows = new Uint16Array(CHUNK_ROWS);
  table.chunks.forEach((chunk, index) => {
    const first = index * CHUNK_ROWS;
    let count = Math.max(0, Math.min(CHUNK_ROWS, table.length - first));
    for (let i = 0; i < count; i++) rows[i] = i;
    for (const each of sieves) count = each(chunk, first, rows, count);
    if (count > 0) take(chunk, first, rows, count);
  });
}

/** Rows, from 0 and in order, that fulfil all conditions. */
export function selectRows(
  table: LedgerRows,
  conditions: readonly LedgerCondition[],
): Uint32Array<ArrayBuffer> {
  const found = new Uint32Array(table.length);
  if (conditions.length === 0) {
    for (let row = 0; row < found.length; row++) found[row] = row;
    return found;
  }
  let length = 0;
  visit(table, conditions, (_chunk, first, rows, count) => {
    for (let i = 0; i < count; i++) found[length++] = first + (rows[i] as number);
  });
  return found.slice(0, length);
}
