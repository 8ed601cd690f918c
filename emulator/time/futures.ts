/** The futures that changes of the past have left: each is kept as what it takes to come again. */
import type { InputLog, LoggedInput } from "./input-log.ts";
import { compareInstants, type Instant } from "./instant.ts";

/** Where two futures are one run no longer: before this instant's input of that index. */
export interface Parting {
  readonly at: Instant;
  readonly inputs: number;
}

/** Where a future left another one. */
export interface Fork extends Parting {
  readonly from: number;
}

/** One way in which the run goes on from its reset: what entered says all of it. */
export interface Future {
  /** From 1, in the order in which they began. */
  readonly number: number;
  /** Undefined for the first. */
  readonly fork: Fork | undefined;
  /** All that entered since reset. */
  readonly inputs: readonly LoggedInput[];
  readonly end: Instant;
}

/** Beside the one that the machine is in. */
const MOST_KEPT = 32;
const FIRST = 1;

export class Futures {
  private readonly kept = new Map<number, Future>();
  private current: Pick<Future, "number" | "fork"> = { number: FIRST, fork: undefined };
  private last = FIRST;

  /** The one that the machine is in. */
  get number(): number {
    return this.current.number;
  }

  /** By number; the present one is as the machine's log and end say. */
  all(log: InputLog, end: Instant): readonly Future[] {
    const present = { ...this.current, inputs: log.all.slice(), end };
    return [...this.kept.values(), present].sort((a, b) => a.number - b.number);
  }

  get(number: number): Future {
    const found = this.kept.get(number);
    if (found === undefined) throw new Error(`There is no future ${number}`);
    return found;
  }

  /** A new future begins before the end of the present one; returns which is kept no more. */
  fork(log: InputLog, end: Instant, parting: Parting): number | undefined {
    this.keep(log, end);
    log.cut(parting.inputs);
    this.last++;
    this.current = { number: this.last, fork: { from: this.number, ...parting } };
    if (this.kept.size <= MOST_KEPT) return undefined;
    // The run as nobody changed it stays.
    const oldest = [...this.kept.keys()].sort((a, b) => a - b).find((each) => each !== FIRST);
    if (oldest !== undefined) this.kept.delete(oldest);
    return oldest;
  }

  /** Another one becomes the present one. */
  switchTo(next: Future, log: InputLog, end: Instant): void {
    this.keep(log, end);
    this.kept.delete(next.number);
    this.current = { number: next.number, fork: next.fork };
    log.replace(next.inputs);
  }

  private keep(log: InputLog, end: Instant): void {
    this.kept.set(this.number, { ...this.current, inputs: log.all.slice(), end });
  }
}

/** Of two futures of one run: the same inputs are the same objects. */
export function parting(a: readonly LoggedInput[], b: readonly LoggedInput[]): Parting {
  let inputs = 0;
  while (inputs < a.length && a[inputs] === b[inputs]) inputs++;
  const [first, second] = [a[inputs]?.at, b[inputs]?.at];
  const at = first && second && compareInstants(second, first) < 0 ? second : (first ?? second);
  if (at === undefined) throw new Error("The two are the same future");
  return { at, inputs };
}
