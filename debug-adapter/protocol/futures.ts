/** The custom requests about the futures that changes of the past left: arguments and bodies (part of protocol.ts). */
import type { ExitLedgerRow } from "./exits.ts";

/** One way in which the run goes on. */
export interface FutureBody {
  /** From 1, in the order in which they began. */
  readonly number: number;
  /** The machine is in it. */
  readonly isCurrent: boolean;
  /** Where it left another one, and by what change; missing for the first. */
  readonly fork?: {
    readonly from: number;
    readonly icount: number;
    /** How many exits there had been. */
    readonly exit: number;
    /** "rbx set", "4 bytes written to hpa:0x5000". */
    readonly change: string;
  };
  readonly endIcount: number;
  readonly exits: number;
}

export interface CompareFuturesArguments {
  /** Numbers of futures. */
  readonly a: number;
  readonly b: number;
  /** How many exits of each to give from the first difference on (20). */
  readonly count?: number;
}

/** Something that the one future has so, and the other so. */
export interface FutureDifference {
  readonly name: string;
  readonly a: string;
  readonly b: string;
}

/** Where a future ends. */
export interface FutureEnd {
  readonly future: number;
  readonly icount: number;
  readonly exits: number;
  /** Of all machine state. */
  readonly hash: string;
}

export interface CompareFuturesBody {
  readonly a: FutureEnd;
  readonly b: FutureEnd;
  /** Where they part: instructions retired and exits until then. */
  readonly icount: number;
  readonly exit: number;
  readonly exits: {
    /** Number of the first exit that is another one, or that only one of them has; missing where none is. */
    readonly first?: number;
    /** In what it differs. */
    readonly fields: readonly string[];
    /** From it on. */
    readonly a: readonly ExitLedgerRow[];
    readonly b: readonly ExitLedgerRow[];
  };
  /** What ports sent after they part, from the first line that differs on. */
  readonly console: readonly FutureDifference[];
  /** CPU state at the ends. */
  readonly registers: readonly FutureDifference[];
  /** Memory at the ends: how many pages differ, and the first ranges of them, ends not included. */
  readonly memory: {
    readonly pages: number;
    readonly ranges: readonly { readonly start: string; readonly end: string }[];
  };
  /** Verdicts at the ends. */
  readonly invariants: readonly FutureDifference[];
}

export interface FutureRequests {
  readonly "minvisor/futures": {
    arguments: object;
    body: { readonly futures: readonly FutureBody[] };
  };
  readonly "minvisor/compareFutures": {
    arguments: CompareFuturesArguments;
    body: CompareFuturesBody;
  };
}
