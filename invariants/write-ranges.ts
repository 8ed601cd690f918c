/** What the ranges of `write(...)` events are: looked at again at each VMRUN and #VMEXIT. */
import type { AddressRange } from "./address-range.ts";
import { type Code, compile, makeFrame } from "./evaluate/compile.ts";
import {
  isUnknown,
  type RangeValue,
  type Result,
  rangeSize,
  sameResult,
  Unknown,
} from "./evaluate/value.ts";
import type { CheckedEvent } from "./language/term.ts";
import { termText } from "./language/term-text.ts";
import type { View } from "./model/view.ts";
import type { Tracked } from "./tracked.ts";
import type { WriteWatch } from "./write-watch.ts";

/** More would be watched page by page: refused. */
const MOST_BYTES = 1n << 26n;
const NOBODY: ReadonlySet<Tracked> = new Set();

interface Row {
  /** As the event is written: the same of two invariants. */
  readonly name: string;
  readonly code: Code;
  readonly tracks: Tracked[];
  /** What it was found to be, and how many of its invariants were armed then. */
  last?: { readonly value: Result; readonly armed: number };
}

export class WriteRanges {
  private readonly watch: WriteWatch;
  private readonly rows = new Map<string, Row>();

  constructor(tracks: readonly Tracked[], watch: WriteWatch) {
    this.watch = watch;
    for (const tracked of tracks) {
      for (const event of tracked.invariant.events) this.add(tracked, event);
    }
  }

  private add(tracked: Tracked, event: CheckedEvent): void {
    if (event.range === undefined) return;
    const name = `write(${termText(event.range)})`;
    const row = this.rows.get(name) ?? { name, code: compile(event.range), tracks: [] };
    row.tracks.push(tracked);
    this.rows.set(name, row);
  }

  /** Those of a state that others saved stay: what they do not have is looked at here. */
  followNew(view: View, isArmed: (tracked: Tracked) => boolean): void {
    this.follow(view, isArmed, (name) => !this.watch.isWatched(name));
  }

  /** An invariant whose range is not known cannot be said to hold. */
  follow(
    view: View,
    isArmed: (tracked: Tracked) => boolean,
    isMeant: (name: string) => boolean = () => true,
  ): void {
    const { ramBytes } = view.machine.memory;
    for (const row of this.rows.values()) {
      const { name, last } = row;
      if (!isMeant(name)) continue;
      const value = row.code(makeFrame(view));
      const armed = row.tracks.filter(isArmed);
      const isSame = last?.armed === armed.length && sameResult(last.value, value);
      // What other events have found is not to be said while the range is unknown.
      if (isSame && !isUnknown(value)) continue;
      row.last = { value, armed: armed.length };
      const ranges = rangesOf(value, BigInt(ramBytes));
      this.watch.watch(name, ranges instanceof Unknown ? [] : ranges);
      const reason = ranges instanceof Unknown ? ranges.reason : undefined;
      for (const each of armed) each.rangeIs(name, reason);
    }
  }

  /** After the machine and its watch have gone elsewhere. */
  forget(): void {
    for (const row of this.rows.values()) delete row.last;
  }

  /** The invariants that are about a write to any of these bytes. */
  about(address: number, bytes: number): ReadonlySet<Tracked> {
    let found = NOBODY;
    for (const { name, tracks } of this.rows.values()) {
      if (this.watch.isAbout(name, address, bytes)) found = new Set([...found, ...tracks]);
    }
    return found;
  }
}

/** Its part that is RAM: what else there is, is not written. */
function rangesOf(value: Result, ramBytes: bigint): readonly AddressRange[] | Unknown {
  if (isUnknown(value)) return value;
  const { bounds, ...range } = value as RangeValue;
  const inRam = bounds
    .map(({ first, end }) => ({ first, end: end < ramBytes ? end : ramBytes }))
    .filter(({ first, end }) => first >= 0n && first < end);
  const size = rangeSize({ ...range, bounds: inRam });
  if (size > MOST_BYTES)
    return new Unknown(`it has ${size} bytes, and ${MOST_BYTES} can be watched`);
  return inRam.map(({ first, end }) => ({ first: Number(first), bytes: Number(end - first) }));
}
