/** Compares two futures: goes to the end of each and tells what is different there and on the way. */
import {
  differingFields,
  differingMemory,
  differingRegisters,
  type EndState,
  endStateOf,
  exitRow,
  exitsUpTo,
  type Future,
  firstDifference,
  type Instant,
  type LedgerTable,
  PAGE_SIZE,
  parting,
  type Timeline,
} from "../../emulator/index.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import type { Debuggee } from "../debuggee.ts";
import { ledgerRow } from "../exits/ledger-row.ts";
import type {
  CompareFuturesBody,
  FutureDifference,
  FutureEnd,
  InvariantStatus,
} from "../protocol.ts";
import { hex } from "../text.ts";
import { type ConsoleRecord, consoleDifferences, recordConsole } from "./console-record.ts";
import type { Inquiry } from "./inquiry.ts";

const MOST_RANGES = 16;

export interface Compared {
  readonly debuggee: Debuggee;
  readonly timeline: Timeline;
  readonly invariants: () => readonly InvariantStatus[];
  /** Exits of each that are given. */
  readonly count: number;
}

/** A future from where it leaves the other to its end. */
interface Course {
  readonly console: ConsoleRecord;
  readonly end: EndState;
  readonly invariants: readonly InvariantStatus[];
}

/** The rows of a future, as far as they are known. */
export function tableOf(
  { ledger }: Debuggee,
  timeline: Timeline,
  future: number,
): LedgerTable | undefined {
  return future === timeline.future ? ledger?.table : ledger?.tableLeft(future);
}

/** The machine is left somewhere in the past of one of them. */
export function* compareFutures(
  compared: Compared,
  a: Future,
  b: Future,
): Inquiry<CompareFuturesBody> {
  const { timeline } = compared;
  const courses = new Map<number, Course>();
  try {
    // The present one comes last: from its end the way home is the shortest.
    const isPresent = ({ number }: Future): boolean => number === timeline.future;
    const { at } = parting(a.inputs, b.inputs);
    for (const future of isPresent(a) ? [b, a] : [a, b]) {
      courses.set(future.number, yield* courseOf(compared, future, at));
    }
    const [one, other] = [a, b].map(({ number }) => courses.get(number));
    if (one === undefined || other === undefined) throw new Error("A future was not gone through");
    return differences(compared, at, { future: a, ...one }, { future: b, ...other });
  } finally {
    for (const { end } of courses.values()) timeline.machine.forget(end.snapshot);
  }
}

function* courseOf(
  { debuggee, timeline, invariants }: Compared,
  { number, end }: Future,
  from: Instant,
): Inquiry<Course> {
  const { machine } = timeline;
  yield* timeline.seek(from, number);
  const { record, stop } = recordConsole(machine, debuggee.consoleTail);
  try {
    yield* timeline.first(from, end, () => undefined);
  } finally {
    stop();
  }
  return { console: record, end: endStateOf(machine), invariants: invariants() };
}

type Gone = Course & { readonly future: Future };

function differences(compared: Compared, at: Instant, a: Gone, b: Gone): CompareFuturesBody {
  const { debuggee, timeline } = compared;
  const [one, other] = [a, b].map(({ future }) => tableOf(debuggee, timeline, future.number));
  if (one === undefined || other === undefined) throw new Error("The exits are not recorded");
  return {
    a: endOf(a, one),
    b: endOf(b, other),
    icount: at.icount,
    exit: exitsUpTo(one, at),
    exits: exitDifferences(compared, one, other),
    console: consoleDifferences(a.console, b.console),
    registers: differingRegisters(a.end, b.end).map((each) => ({
      name: each.name,
      a: hex(each.a),
      b: hex(each.b),
    })),
    memory: memoryDifferences(differingMemory(a.end, b.end)),
    invariants: verdictDifferences(a.invariants, b.invariants),
  };
}

function endOf({ future, end }: Gone, table: LedgerTable): FutureEnd {
  const { number, end: at } = future;
  return { future: number, icount: at.icount, exits: table.extent, hash: end.hash };
}

function exitDifferences(
  { debuggee, count }: Compared,
  a: LedgerTable,
  b: LedgerTable,
): CompareFuturesBody["exits"] {
  const first = firstDifference(a, b);
  if (first === undefined) return { fields: [], a: [], b: [] };
  const isInBoth = first < a.extent && first < b.extent;
  const rows = (table: LedgerTable) =>
    Array.from({ length: Math.max(0, Math.min(count, table.extent - first)) }, (_, i) =>
      ledgerRow(exitRow(table, first + i), debuggee.images),
    );
  return {
    first: first + 1,
    fields: isInBoth ? differingFields(exitRow(a, first), exitRow(b, first)) : [],
    a: rows(a),
    b: rows(b),
  };
}

/** Pages, ascending, as ranges. */
function memoryDifferences(pages: readonly number[]): CompareFuturesBody["memory"] {
  const ranges: { start: number; end: number }[] = [];
  for (const page of pages) {
    const last = ranges.at(-1);
    if (last?.end === page) last.end++;
    else if (ranges.length === MOST_RANGES) break;
    else ranges.push({ start: page, end: page + 1 });
  }
  const reference = (page: number) =>
    formatReference({ space: { kind: "hpa" }, address: BigInt(page * PAGE_SIZE) });
  return {
    pages: pages.length,
    ranges: ranges.map(({ start, end }) => ({ start: reference(start), end: reference(end) })),
  };
}

function verdictDifferences(
  a: readonly InvariantStatus[],
  b: readonly InvariantStatus[],
): FutureDifference[] {
  return a.flatMap(({ name, verdict }) => {
    const other = b.find((each) => each.name === name)?.verdict ?? "absent";
    return other === verdict ? [] : [{ name, a: verdict, b: other }];
  });
}
