/** How many exits of each reason come in each piece of a stretch of time. */
import { type LedgerCondition, type LedgerRows, visit } from "./ledger-query.ts";

/** Instructions retired since reset; both ends belong to it. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** By EXITCODE as a signed number; the commonest first. */
export interface Density {
  readonly code: number;
  readonly counts: Float64Array;
}

/** Counts in `buckets` equal pieces of the stretch, of rows that fulfil all conditions. */
export function exitDensity(
  table: LedgerRows,
  { from, to }: Stretch,
  buckets: number,
  conditions: readonly LedgerCondition[] = [],
): Density[] {
  const counts = new Map<number, Float64Array>();
  const within: LedgerCondition = { kind: "range", column: "icount", min: from, max: to };
  const scale = buckets / (to - from + 1);
  visit(table, [within, ...conditions], ({ code, icount }, _first, rows, count) => {
    for (let i = 0; i < count; i++) {
      const at = rows[i] as number;
      const reason = code[at] as number;
      const own = counts.get(reason) ?? new Float64Array(buckets);
      counts.set(reason, own);
      const bucket = Math.floor(((icount[at] as number) - from) * scale);
      own[bucket] = (own[bucket] as number) + 1;
    }
  });
  const total = ({ counts: each }: Density): number => each.reduce((sum, count) => sum + count, 0);
  return Array.from(counts, ([code, each]) => ({ code, counts: each })).sort(
    (a, b) => total(b) - total(a) || a.code - b.code,
  );
}
