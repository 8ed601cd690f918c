/** Compares two jobs by CPU seconds in one alternating run: the machine is shared and its speed drifts. */

export interface Comparison {
  readonly first: number;
  readonly second: number;
  /** Median of the pairs' ratios first/second, with an interval that covers it in 95 of 100 runs. */
  readonly ratio: number;
  readonly interval: readonly [low: number, high: number];
  readonly pairs: number;
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

export function median(values: readonly number[]): number {
  const ordered = sorted(values);
  const middle = Math.floor(ordered.length / 2);
  const upper = ordered[middle] ?? Number.NaN;
  return ordered.length % 2 === 1 ? upper : (upper + (ordered[middle - 1] ?? Number.NaN)) / 2;
}

/** How many values on each side the interval of the median leaves out (binomial, two-sided 5 %). */
function outside(count: number): number {
  let tail = 0;
  let term = 0.5 ** count;
  for (let k = 0; k < count / 2; k++) {
    tail += term;
    if (tail > 0.025) return k;
    term = (term * (count - k)) / (k + 1);
  }
  return 0;
}

/** Runs both jobs `pairs` times, in turn starting with either; each returns its CPU seconds. */
export async function compare(
  first: () => Promise<number>,
  second: () => Promise<number>,
  pairs: number,
): Promise<Comparison> {
  const times: [number, number][] = [];
  for (let i = 0; i < pairs; i++) {
    if (i % 2 === 0) {
      const a = await first();
      times.push([a, await second()]);
    } else {
      const b = await second();
      times.push([await first(), b]);
    }
  }
  const ratios = sorted(times.map(([a, b]) => a / b));
  const cut = outside(pairs);
  return {
    first: median(times.map(([a]) => a)),
    second: median(times.map(([, b]) => b)),
    ratio: median(ratios),
    interval: [ratios[cut] ?? Number.NaN, ratios[pairs - 1 - cut] ?? Number.NaN],
    pairs,
  };
}
