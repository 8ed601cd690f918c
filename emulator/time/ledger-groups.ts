/** Counts and costs of the exits that have something in common. */
import { exitByName } from "../svm/exits.ts";
import { type LedgerChunk, UNFINISHED } from "./ledger-columns.ts";
import { type LedgerCondition, type LedgerRows, visit } from "./ledger-query.ts";

/** Exits that have something in common. Costs are of the finished among them. */
export interface ExitGroup {
  /** EXITCODE as a signed number; else the guest's number, an address, or a port's or an MSR's number. */
  readonly key: bigint;
  readonly count: number;
  readonly finished: number;
  readonly cost: { readonly sum: number; readonly min: number; readonly max: number };
}

/** The low and the high word of a row's key. */
interface Key {
  readonly low: (chunk: LedgerChunk, at: number) => number;
  readonly high?: (chunk: LedgerChunk, at: number) => number;
  /** Which exits have one; missing where all have. */
  readonly of?: number;
}

const IOIO = exitByName("IOIO")?.code as number;
const MSR = exitByName("MSR")?.code as number;

const wideKey = (column: "guestRip" | "cr3"): Key => ({
  low: (chunk, at) => chunk[column].words[2 * at] as number,
  high: (chunk, at) => chunk[column].words[2 * at + 1] as number,
});

const KEYS = {
  reason: { low: (chunk, at) => (chunk.code[at] as number) >>> 0 },
  guest: { low: (chunk, at) => chunk.guest[at] as number },
  rip: wideKey("guestRip"),
  cr3: wideKey("cr3"),
  // Section 15.10.2: EXITINFO1 has the port in bits 31:16.
  port: { low: (chunk, at) => (chunk.info1.words[2 * at] as number) >>> 16, of: IOIO },
  msr: { low: (chunk, at) => chunk.ecx[at] as number, of: MSR },
} as const satisfies Readonly<Record<string, Key>>;

export type GroupBy = keyof typeof KEYS;
export const GROUP_KEYS = Object.keys(KEYS) as GroupBy[];

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
  const { low, high = () => 0, of }: Key = KEYS[by];
  const own: LedgerCondition[] = of === undefined ? [] : [{ kind: "reason", codes: [of] }];
  visit(table, [...own, ...conditions], (chunk, _first, rows, count) => {
    const { cost } = chunk;
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      groups.add(low(chunk, at), high(chunk, at), cost[at] as number);
    }
  });
  return groups.sorted(by === "reason");
}
