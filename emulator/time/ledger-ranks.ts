/** Ranks of the values of a 64-bit column among those that it has: few, where a ledger is long. */
import { CHUNK_ROWS, type LedgerChunk, type WideColumn } from "./ledger-columns.ts";

/** A table of more would not stay in the cache. */
const MOST_VALUES = 1 << 14;
const SLOT_BITS = 15;
const MASK = (1 << SLOT_BITS) - 1;

/** By slot: the number of a value from 1, or 0, and its words. */
const numbers = new Uint16Array(1 << SLOT_BITS);
const lows = new Uint32Array(1 << SLOT_BITS);
const highs = new Uint32Array(1 << SLOT_BITS);

/** Where a value is, or would be. */
function slotOf(low: number, high: number): number {
  let slot = Math.imul(Math.imul(low, 0x85eb_ca6b) ^ high, 0xc2b2_ae35) >>> (32 - SLOT_BITS);
  while (numbers[slot] !== 0 && (lows[slot] !== low || highs[slot] !== high)) {
    slot = (slot + 1) & MASK;
  }
  return slot;
}

/** Sets the rank of each row's value; false, with nothing that counts in `ranks`, where there are too many. */
export function setRanks(
  chunks: readonly LedgerChunk[],
  rows: Uint32Array,
  column: WideColumn,
  ranks: Uint32Array,
): boolean {
  numbers.fill(0);
  const found = new BigUint64Array(MOST_VALUES);
  let count = 0;
  let first = Number.NaN;
  let words = ranks;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    // Rows come in their order: those of a chunk are together.
    if (!(row >= first && row < first + CHUNK_ROWS)) {
      const chunk = Math.floor(row / CHUNK_ROWS);
      first = chunk * CHUNK_ROWS;
      words = (chunks[chunk] as LedgerChunk)[column].words;
    }
    const low = words[2 * (row - first)] as number;
    const high = words[2 * (row - first) + 1] as number;
    const slot = slotOf(low, high);
    let number = numbers[slot] as number;
    if (number === 0) {
      if (count === MOST_VALUES) return false;
      found[count++] = (BigInt(high) << 32n) | BigInt(low);
      number = count;
      numbers[slot] = number;
      lows[slot] = low;
      highs[slot] = high;
    }
    ranks[i] = number;
  }
  const rankOf = new Uint32Array(count + 1);
  for (const [rank, value] of found.subarray(0, count).sort().entries()) {
    const [low, high] = [Number(value & 0xffff_ffffn), Number(value >> 32n)];
    rankOf[numbers[slotOf(low, high)] as number] = rank;
  }
  for (let i = 0; i < rows.length; i++) ranks[i] = rankOf[ranks[i] as number] as number;
  return true;
}
