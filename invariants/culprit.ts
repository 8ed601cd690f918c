/** Finds the instruction that last wrote what made an invariant false, on a second machine with the run's past. */

import {
  compareInstants,
  DivergedError,
  type Follower,
  type Instant,
  type LoggedInput,
  lastAt,
  type Machine,
  RESET,
  type SeekProgress,
  type StoredSnapshot,
  Timeline,
} from "../emulator/index.ts";
import { overlaps } from "./address-range.ts";
import { bytesValue } from "./bytes-value.ts";
import type { Violation } from "./violation.ts";
import { watchRange } from "./watched-ranges.ts";
import { type Writer, writerNow } from "./writer.ts";

export type Culprit =
  /**
   * The last write that gave the witness its value; without one that changed it, the last write. Where
   * no memory makes it false but the instruction of the event does, by a register that it writes or an
   * exception that it raises, that one.
   */
  | ({ readonly kind: "write" } & Writer)
  /** Nothing but the loader or a zero fill set the bytes: the VMRUN is the place to show. */
  | { readonly kind: "neverSet" }
  /** No bytes of memory make it false, but registers. */
  | { readonly kind: "registers" }
  /** The second run is not the first one again, so that nothing can be said. */
  | { readonly kind: "diverged"; readonly reason: string };

type Witness = NonNullable<Violation["witness"]>;
type Write = Extract<Culprit, { kind: "write" }>;

/** Instructions between two yields: a few milliseconds. */
const PIECE = 500_000;

/** Notes the writes to the witness; its pages are watched until release() is called. */
class WriteSearch {
  private readonly releases: (() => void)[] = [];
  private changing: Write | undefined;
  private last: Write | undefined;

  constructor(machine: Machine, { first, bytes, statusBits }: Witness, end: number) {
    const { memory } = machine;
    const start = memory.canonical(first);
    this.releases.push(watchRange(memory, { first, bytes }));
    const on = {
      physicalWrite: (event: WriteEvent): undefined => {
        const shared = sharedBits(event, start, bytes);
        if (shared === 0n || machine.icount > end) return;
        const changed = placed(event.before ^ event.after, event.address - start) & shared;
        // The CPU's own update of Accessed and Dirty bits is nobody's doing.
        if (changed !== 0n && (changed & ~statusBits) === 0n) return;
        const write: Write = { kind: "write", ...writerNow(machine) };
        // Stretches come latest first, and each forwards.
        if (compareInstants(write.at, this.last?.at ?? RESET) >= 0) this.last = write;
        if (changed !== 0n) this.changing = write;
      },
    };
    this.releases.push(machine.observe({ name: "culprit", on }));
  }

  /** Whether the stretch that was done has a write that changed it: those before have none that is later. */
  get isOver(): boolean {
    return this.changing !== undefined;
  }

  get found(): Culprit {
    return this.changing ?? this.last ?? { kind: "neverSet" };
  }

  release(): void {
    for (const release of this.releases) release();
  }
}

interface WriteEvent {
  readonly address: number;
  readonly size: number;
  readonly before: bigint;
  readonly after: bigint;
}

const placed = (bits: bigint, offset: number): bigint =>
  offset < 0 ? bits >> BigInt(-8 * offset) : bits << BigInt(8 * offset);

/** Bits of the witness that the write covers. */
function sharedBits({ address, size }: WriteEvent, first: number, bytes: number): bigint {
  if (!overlaps({ first, bytes }, address, size)) return 0n;
  const written = placed((1n << BigInt(8 * size)) - 1n, address - first);
  return written & ((1n << BigInt(8 * bytes)) - 1n);
}

/** What there is of a run on a second machine of the same image, at reset. */
export interface RunAgain {
  /** What entered, in order. */
  readonly inputs?: readonly LoggedInput[];
  /** To begin from in place of reset, with what the followers saved. */
  readonly snapshots?: readonly StoredSnapshot[];
  readonly followers?: readonly Follower[];
}

/** The run as the past of the machine, up to a violation. */
export function runAgain(machine: Machine, { icount }: Violation, run: RunAgain = {}): Timeline {
  const never = Number.POSITIVE_INFINITY;
  const { inputs = [], snapshots = [], followers = [] } = run;
  return new Timeline(machine, {
    ...{ interval: never, denseInterval: never, piece: PIECE, budgetBytes: never, followers },
    recorded: { inputs, end: lastAt(icount + 1), snapshots: () => snapshots },
  });
}

/** Where the instruction at the violation has run: where it is a guest's, it made the write. */
function* endOf(timeline: Timeline, icount: number): Generator<SeekProgress, Instant> {
  const { machine } = timeline;
  try {
    yield* timeline.seekIcount(icount + 1);
  } catch (caught) {
    if (!(caught instanceof DivergedError)) throw caught;
    // The run may end at the violation.
    if (machine.icount < icount) {
      throw new DivergedError(`the replay ended after ${machine.icount} instructions`);
    }
  }
  return machine.instant;
}

/**
 * Looks for who wrote the witness last, in the stretches of the run from the violation backwards;
 * yields between pieces, so that the caller decides when to go on and may stop by not going on (or
 * by return()). The machine is left where the culprit is about to run, if there is one. Needs no symbols.
 */
export function* findCulprit(
  timeline: Timeline,
  violation: Violation,
): Generator<SeekProgress, Culprit, undefined> {
  const { witness, writer } = violation;
  const { machine } = timeline;
  let search: WriteSearch | undefined;
  try {
    if (witness === undefined) {
      if (writer === undefined) return { kind: "registers" };
      yield* timeline.seek(writer.at);
      return { kind: "write", ...writer };
    }
    const end = yield* endOf(timeline, violation.icount);
    const value = bytesValue(machine.memory.peek(witness.first, witness.bytes));
    if (((value ^ witness.value) & ~witness.statusBits) !== 0n) {
      const reason = `the bytes came out as 0x${value.toString(16)}, not 0x${witness.value.toString(16)}`;
      return { kind: "diverged", reason };
    }
    const writes = new WriteSearch(machine, witness, violation.icount);
    search = writes;
    yield* timeline.backwards(end, () => writes.isOver);
    const { found } = writes;
    if (found.kind === "write") yield* timeline.seek(found.at);
    return found;
  } catch (caught) {
    if (caught instanceof DivergedError) return { kind: "diverged", reason: caught.message };
    throw caught;
  } finally {
    search?.release();
  }
}
