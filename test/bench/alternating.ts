/** Compares two jobs by CPU seconds in one alternating run: the machine is shared and its speed drifts. */

import { spawnSync } from "node:child_process";

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

type Times = readonly [first: number, second: number];

/** Runs both jobs `pairs` times, in turn starting with either; each returns its CPU seconds. */
export async function compare(
  first: () => Promise<number>,
  second: () => Promise<number>,
  pairs: number,
): Promise<Comparison> {
  const times: Times[] = [];
  for (let i = 0; i < pairs; i++) {
    if (i % 2 === 0) {
      const a = await first();
      times.push([a, await second()]);
    } else {
      const b = await second();
      times.push([await first(), b]);
    }
  }
  return comparisonOf(times);
}

/** A job of this process in slices, each of the same work: a call does the next one. */
export type Slices = () => void;

/**
 * As compare(), of jobs that are ready before they are measured and then go on side by side, slice by
 * slice, in turn either first: whatever slows the machine for more than a slice slows both.
 */
export function compareSlices(
  first: () => Slices,
  second: () => Slices,
  slices: number,
  pairs: number,
): Comparison {
  const times = Array.from({ length: pairs }, (): Times => {
    const jobs = [first(), second()] as const;
    const seconds: [number, number] = [0, 0];
    for (let i = 0; i < slices; i++) {
      for (const job of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        const start = process.cpuUsage();
        jobs[job]();
        const { user, system } = process.cpuUsage(start);
        seconds[job] += (user + system) / 1e6;
      }
    }
    return seconds;
  });
  return comparisonOf(times);
}

function comparisonOf(times: readonly Times[]): Comparison {
  const pairs = times.length;
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

/** CPU seconds (user and system) of a child process, by the shell's own clock. */
export async function childSeconds(command: string, args: readonly string[]): Promise<number> {
  const script = 'TIMEFORMAT="%U %S"; { time "$@" >/dev/null 2>/dev/null </dev/null; } 2>&1';
  const { stdout } = spawnSync("bash", ["-c", script, "bench", command, ...args], {
    encoding: "utf8",
  });
  const [user, system] = stdout.trim().split(" ").map(Number);
  if (user === undefined || system === undefined || Number.isNaN(user + system)) {
    throw new Error(`${command} could not be timed: ${stdout}`);
  }
  return user + system;
}

/** Prints a comparison; `names` are those of its two jobs. */
export function show(
  title: string,
  goal: string,
  names: [string, string],
  result: Comparison,
): void {
  const [low, high] = result.interval.map((n) => n.toFixed(3));
  console.log(
    `${title}: ${result.ratio.toFixed(3)} (95 % interval ${low} to ${high}, ${result.pairs} pairs; ` +
      `medians ${names[0]} ${result.first.toFixed(2)} s, ${names[1]} ${result.second.toFixed(2)} s; goal ${goal})`,
  );
}
