/** The futures that changes of the past have left: each is kept as what it takes to come again. */
import type { Input } from "../inputs.ts";
import type { InputLog, LoggedInput } from "./input-log.ts";
import { compareInstants, type Instant } from "./instant.ts";
import type { LedgerTable } from "./ledger-columns.ts";
import type { Follower } from "./snapshot-store.ts";

/** Where two futures are one run no longer: before this instant's input of that index. */
export interface Parting {
  readonly at: Instant;
  readonly inputs: number;
}

/** Where a future left another one. */
export interface Fork extends Parting {
  readonly from: number;
}

/** Which future it is, and which one it left. */
export interface FutureName {
  /** From 1, in the order in which they began. */
  readonly number: number;
  /** Undefined for the first. */
  readonly fork: Fork | undefined;
}

/** One way in which the run goes on from its reset: what entered says all of it. */
export interface Future extends FutureName {
  /** All that entered since reset. */
  readonly inputs: readonly LoggedInput[];
  readonly end: Instant;
}

/** Futures as a recording has them. */
export interface RecordedFutures {
  /** The one whose inputs and exits are the recording's own. */
  readonly present: FutureName;
  /** With their exits. */
  readonly left: readonly { readonly future: Future; readonly rows: LedgerTable }[];
}

/** Beside the one that the machine is in. */
const MOST_KEPT = 32;
/** Of an input that is logged, beside its own. */
const ENTRY_BYTES = 200;
const FIRST = 1;

export class Futures {
  private readonly kept = new Map<number, Future>();
  private current: FutureName = { number: FIRST, fork: undefined };
  private last = FIRST;

  constructor(recorded?: RecordedFutures) {
    if (recorded === undefined) return;
    this.current = recorded.present;
    for (const { future } of recorded.left) this.kept.set(future.number, future);
    this.last = Math.max(this.number, ...this.kept.keys());
  }

  /** The one that the machine is in. */
  get number(): number {
    return this.current.number;
  }

  /** The present one is among them. */
  get count(): number {
    return this.kept.size + 1;
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

  /** A new future begins before the end of the present one. */
  fork(log: InputLog, end: Instant, parting: Parting): void {
    this.keep(log, end);
    log.cut(parting.inputs);
    this.last++;
    this.current = { number: this.last, fork: { from: this.number, ...parting } };
  }

  /** What is kept of those beside the present one, `followers`' part too. */
  bytes(log: InputLog, followers: readonly Follower[]): number {
    return followers.reduce((sum, each) => sum + (each.leftBytes?.() ?? 0), this.inputBytes(log));
  }

  /**
   * Drops the oldest while they take more than so many bytes; the run as nobody changed it stays, and so does
   * the one that was just `left`.
   */
  keepWithin(most: number, left: number, log: InputLog, followers: readonly Follower[]): void {
    while (this.kept.size > MOST_KEPT || this.bytes(log, followers) > most) {
      const numbers = [...this.kept.keys()].filter((each) => each !== FIRST && each !== left);
      const oldest = numbers.sort((a, b) => a - b)[0];
      if (oldest === undefined) return;
      this.kept.delete(oldest);
      for (const follower of followers) follower.dropped?.(oldest);
    }
  }

  /** Of the inputs that the present future does not have. */
  private inputBytes(log: InputLog): number {
    const own = new Set([...this.kept.values()].flatMap(({ inputs }) => inputs));
    for (const each of log.all) own.delete(each);
    return [...own].reduce((sum, { input }) => sum + ENTRY_BYTES + bytesOf(input), 0);
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

function bytesOf(input: Input): number {
  if (input.kind !== "cpu") return input.bytes.length;
  return input.runs.reduce((sum, { bytes }) => sum + bytes.length, 0);
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
