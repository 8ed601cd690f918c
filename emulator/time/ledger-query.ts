/** Questions to the exit ledger: which rows fulfil conditions, and counts and costs by group. */
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
  /** EXITCODE, as a signed number, is one of these. */
  | { readonly kind: "reason"; readonly codes: readonly number[] }
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
  reason: ({ codes }) => among((chunk) => chunk.code, codes),
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
): Sieve {
  const set = new Set(wanted);
  return (chunk, _first, rows, count) => {
    const values = column(chunk);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      if (set.has(values[at] as number)) rows[kept++] = at;
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
function visit(
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
  let length = 0;
  visit(table, conditions, (_chunk, first, rows, count) => {
    for (let i = 0; i < count; i++) found[length++] = first + (rows[i] as number);
  });
  return found.slice(0, length);
}

export type GroupBy = "reason" | "guest" | "rip";

/** Exits that have something in common. Costs are of the finished among them. */
export interface ExitGroup {
  /** EXITCODE as a signed number, the guest's number, or the guest's rip. */
  readonly key: bigint;
  readonly count: number;
  readonly finished: number;
  readonly cost: { readonly sum: number; readonly min: number; readonly max: number };
}

/** Groups by keys of two words: a table of slots that is half empty at least, and a column a figure. */
class Groups {
  private slots = new Int32Array(1024).fill(-1);
  private size = 0;
  private low = new Uint32Array(512);
  private high = new Uint32Array(512);
  private counts = new Float64Array(512);
  private finished = new Float64Array(512);
  private sums = new Float64Array(512);
  private least = new Float64Array(512).fill(Number.POSITIVE_INFINITY);
  private most = new Float64Array(512);

  add(low: number, high: number, cost: number): void {
    const group = this.find(low, high);
    this.counts[group] = (this.counts[group] as number) + 1;
    if (cost === UNFINISHED) return;
    this.finished[group] = (this.finished[group] as number) + 1;
    this.sums[group] = (this.sums[group] as number) + cost;
    if (cost < (this.least[group] as number)) this.least[group] = cost;
    if (cost > (this.most[group] as number)) this.most[group] = cost;
  }

  private find(low: number, high: number): number {
    let slot = this.slotOf(low, high);
    const known = this.slots[slot] as number;
    if (known >= 0) return known;
    if (2 * this.size + 2 > this.slots.length) {
      this.grow();
      slot = this.slotOf(low, high);
    }
    this.slots[slot] = this.size;
    this.low[this.size] = low;
    this.high[this.size] = high;
    return this.size++;
  }

  /** Where the key is, or belongs. */
  private slotOf(low: number, high: number): number {
    const mask = this.slots.length - 1;
    let slot = (Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1) >>> 7) & mask;
    for (;;) {
      const group = this.slots[slot] as number;
      if (group < 0 || (this.low[group] === low && this.high[group] === high)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private grow(): void {
    const capacity = this.slots.length;
    const wider = (column: Float64Array, rest = 0): Float64Array<ArrayBuffer> => {
      const copy = new Float64Array(capacity).fill(rest);
      copy.set(column);
      return copy;
    };
    const widerKeys = (column: Uint32Array): Uint32Array<ArrayBuffer> => {
      const copy = new Uint32Array(capacity);
      copy.set(column);
      return copy;
    };
    [this.low, this.high] = [widerKeys(this.low), widerKeys(this.high)];
    [this.counts, this.finished] = [wider(this.counts), wider(this.finished)];
    [this.sums, this.most] = [wider(this.sums), wider(this.most)];
    this.least = wider(this.least, Number.POSITIVE_INFINITY);
    this.slots = new Int32Array(2 * capacity).fill(-1);
    for (let group = 0; group < this.size; group++) {
      const slot = this.slotOf(this.low[group] as number, this.high[group] as number);
      this.slots[slot] = group;
    }
  }

  /** The most frequent first; equals in the order of their keys. */
  sorted(signed: boolean): ExitGroup[] {
    const groups = Array.from({ length: this.size }, (_, i): ExitGroup => {
      const key = (BigInt(this.high[i] as number) << 32n) | BigInt(this.low[i] as number);
      const finished = this.finished[i] as number;
      const min = finished === 0 ? 0 : (this.least[i] as number);
      const cost = { sum: this.sums[i] as number, min, max: this.most[i] as number };
      const count = this.counts[i] as number;
      return { key: signed ? BigInt.asIntN(32, key) : key, count, finished, cost };
    });
    return groups.sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
  }
}

/** Counts and costs, by group, of the rows that fulfil all conditions. */
export function groupRows(
  table: LedgerRows,
  by: GroupBy,
  conditions: readonly LedgerCondition[] = [],
): ExitGroup[] {
  const groups = new Groups();
  visit(table, conditions, (chunk, _first, rows, count) => {
    const { cost } = chunk;
    const { words } = chunk.guestRip;
    const narrow = by === "reason" ? chunk.code : chunk.guest;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      if (by === "rip") {
        groups.add(words[2 * at] as number, words[2 * at + 1] as number, cost[at] as number);
      } else {
        groups.add((narrow[at] as number) >>> 0, 0, cost[at] as number);
      }
    }
  });
  return groups.sorted(by === "reason");
}
