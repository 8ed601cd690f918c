/** Finds the instruction that last wrote what made an invariant false, by running a second machine. */

import { type LoggedInput, type Machine, Timeline } from "../emulator/index.ts";
import { bytesValue } from "./bytes-value.ts";
import type { Violation } from "./violation.ts";

export type Culprit =
  /** The last write that gave the witness its value; without one that changed it, the last write. */
  | {
      readonly kind: "write";
      readonly rip: bigint;
      /** Instructions retired before it. */
      readonly icount: number;
      readonly world: "host" | "guest";
      readonly exitNumber: number;
    }
  /** Nothing but the loader or a zero fill set the bytes: the VMRUN is the place to show. */
  | { readonly kind: "neverSet" }
  /** No bytes of memory make it false, but registers. */
  | { readonly kind: "registers" }
  /** The second run is not the first one again, so that nothing can be said. */
  | { readonly kind: "diverged"; readonly reason: string };

export interface SearchProgress {
  readonly icount: number;
  readonly end: number;
}

type Witness = NonNullable<Violation["witness"]>;
type Write = Extract<Culprit, { kind: "write" }>;

/** Instructions between two yields: a few milliseconds. */
const SLICE = 500_000;

/** Notes the writes to the witness; its pages are watched until release() is called. */
class WriteSearch {
  private readonly releases: (() => void)[] = [];
  private changing: Write | undefined;
  private last: Write | undefined;

  constructor(machine: Machine, { first, bytes, statusBits }: Witness, end: number) {
    const { memory, state } = machine;
    const start = memory.canonical(first);
    this.releases.push(memory.watchWrites(first), memory.watchWrites(first + bytes - 1));
    const on = {
      physicalWrite: (event: WriteEvent): undefined => {
        const shared = sharedBits(event, start, bytes);
        if (shared === 0n || machine.icount > end) return;
        const changed = placed(event.before ^ event.after, event.address - start) & shared;
        // The CPU's own update of Accessed and Dirty bits is nobody's doing.
        if (changed !== 0n && (changed & ~statusBits) === 0n) return;
        const world = state.guestMode === 0 ? "host" : "guest";
        const { rip, exitCount: exitNumber } = state;
        this.last = { kind: "write", rip, icount: machine.icount, world, exitNumber };
        if (changed !== 0n) this.changing = this.last;
      },
    };
    this.releases.push(machine.observe({ name: "culprit", on }));
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
  if (address >= first + bytes || address + size <= first) return 0n;
  const written = placed((1n << BigInt(8 * size)) - 1n, address - first);
  return written & ((1n << BigInt(8 * bytes)) - 1n);
}

/** Runs one slice towards `end`; returns why the machine cannot get there, if so. */
function runSlice(timeline: Timeline, end: number): string | undefined {
  const { machine } = timeline;
  const instructions = Math.min(SLICE, end - machine.icount);
  const result = timeline.run({ instructions });
  if (result.reason === "budget" || (result.reason === "idle" && !result.forever)) return undefined;
  return `the replay ended with "${result.reason}" after ${machine.icount} instructions`;
}

/**
 * Replays to the violation and returns who wrote its witness last; yields between slices, so that
 * the caller decides when to go on and may stop by not going on (or by return()).
 *
 * `makeMachine` gives a machine with the options and image of the one that was violated, at reset;
 * `inputs` are what entered that one. Needs no symbols.
 */
export function* findCulprit(
  makeMachine: () => Machine,
  violation: Violation,
  inputs: readonly LoggedInput[] = [],
): Generator<SearchProgress, Culprit, undefined> {
  const { witness } = violation;
  if (witness === undefined) return { kind: "registers" };
  const machine = makeMachine();
  // The instruction at the violation runs too: where it is a guest's, it made the write.
  const end = violation.icount + 1;
  const never = Number.POSITIVE_INFINITY;
  const recorded = { inputs, end: { icount: end, idleTicks: never, events: never } };
  const timeline = new Timeline(machine, { interval: never, denseInterval: never, recorded });
  const search = new WriteSearch(machine, witness, violation.icount);
  try {
    while (machine.icount < end) {
      const reason = runSlice(timeline, end);
      if (reason === undefined) yield { icount: machine.icount, end };
      else if (machine.icount < violation.icount) return { kind: "diverged", reason };
      else break;
    }
    const value = bytesValue(machine.memory.peek(witness.first, witness.bytes));
    if (((value ^ witness.value) & ~witness.statusBits) !== 0n) {
      const reason = `the bytes came out as 0x${value.toString(16)}, not 0x${witness.value.toString(16)}`;
      return { kind: "diverged", reason };
    }
    return search.found;
  } finally {
    search.release();
    timeline.dispose();
  }
}
