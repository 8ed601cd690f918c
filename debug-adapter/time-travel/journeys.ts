/** Ways through the past, each ending with the stop where it leads to. */
import {
  compareInstants,
  exitRow,
  type Future,
  type Instant,
  type LedgerTable,
  RESET,
  type SeekProgress,
  type Timeline,
} from "../../emulator/index.ts";
import type { Breakpoints } from "../breakpoints.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Occurrence } from "../protocol.ts";
import type { Journey, Runner, Stop } from "../runner.ts";
import type { CodeFrame } from "../stack/frame.ts";
import { UserError } from "../text.ts";
import type { BackStepper } from "./back-stepper.ts";
import { lastEvent } from "./last-event.ts";
import { type Arm, firstMet, lastMet } from "./search.ts";

export const BEGINNING: Stop = {
  reason: "entry",
  description: "Paused at the beginning of the recording",
};

/** To an instant, of another future where one is named, and to the stop of that place. */
export function* goTo(timeline: Timeline, to: Instant, stop: Stop, future?: number): Journey {
  yield* timeline.seek(to, future);
  return stop;
}

export function* stepBack(timeline: Timeline, stepper: BackStepper): Journey {
  return yield* backTo(timeline, yield* stepper.target());
}

function* backTo(timeline: Timeline, target: Instant | undefined): Journey {
  yield* timeline.seek(target ?? RESET);
  return target === undefined
    ? BEGINNING
    : { reason: "step", description: "Paused after step back" };
}

/** Back to the last stop that running forward would have made. */
export function* reverseContinue(
  timeline: Timeline,
  runner: Runner,
  breakpoints: Breakpoints,
): Journey {
  breakpoints.isSearching = true;
  try {
    const found = yield* timeline.last(timeline.machine.instant, () => runner.takeMet());
    breakpoints.isSearching = false;
    yield* timeline.seek(found?.at ?? RESET);
    return found?.what ?? BEGINNING;
  } finally {
    breakpoints.isSearching = false;
  }
}

export function* previousExit(debuggee: Debuggee, timeline: Timeline): Journey {
  const { instant } = debuggee.machine;
  const found = yield* lastEvent(debuggee, timeline, instant, ["exit"], () => true);
  yield* timeline.seek(found?.at ?? RESET);
  if (found === undefined) return BEGINNING;
  return { reason: "goto", description: `Paused on exit ${debuggee.exits.last?.number ?? 0}` };
}

/** To where an address was executed last with the stack pointer at `stack`. */
function* lastEntry(
  debuggee: Debuggee,
  timeline: Timeline,
  place: FrameEntry,
): Generator<SeekProgress, Instant | undefined> {
  const { machine } = debuggee;
  const isThere = () =>
    debuggee.linearRip === place.linear &&
    debuggee.spaces.inGuest === place.guest &&
    (place.stack === undefined || machine.state.rsp === place.stack);
  if (isThere()) return machine.instant;
  const wanted = () => isThere() || undefined;
  const { instant } = machine;
  const found = yield* lastEvent(debuggee, timeline, instant, ["execute"], wanted, [place.linear]);
  return found?.at;
}

/** A function's first instruction, with the stack as the call left it where that is known. */
interface FrameEntry {
  readonly name: string;
  readonly linear: bigint;
  readonly stack: bigint | undefined;
  readonly guest: boolean;
}

/** Where a frame began; undefined where its function is not known. */
export function knownEntry(
  debuggee: Debuggee,
  { world, lookup, base }: CodeFrame,
  wordBytes: number,
): FrameEntry | undefined {
  const found = debuggee.images.at(world, lookup)?.symbols.functionAt(lookup);
  if (found === undefined) return undefined;
  const stack = base === undefined ? undefined : base - BigInt(wordBytes);
  return { name: found.name, linear: found.start, stack, guest: world === "guest" };
}

/** Where a frame began. Throws a UserError where that is not known. */
export function frameEntry(debuggee: Debuggee, frame: CodeFrame, wordBytes: number): FrameEntry {
  const entry = knownEntry(debuggee, frame, wordBytes);
  if (entry !== undefined) return entry;
  throw new UserError(`Where ${frame.name} began is not known: no symbols name its function.`);
}

export function* restartFrame(
  debuggee: Debuggee,
  timeline: Timeline,
  entry: FrameEntry,
  stepper: () => BackStepper,
): Journey {
  const home = debuggee.machine.instant;
  const found = yield* lastEntry(debuggee, timeline, entry);
  yield* timeline.seek(found ?? home);
  if (found === undefined) {
    return {
      reason: "goto",
      description: `The recording has no call of ${entry.name} with this stack`,
    };
  }
  // A loop may have come by the first instruction again.
  yield* timeline.seek((yield* stepper().beginning()) ?? found);
  return { reason: "restart", description: `Paused at the start of ${entry.name}` };
}

/** To where the code that runs was entered, of which no symbols tell: found from step to step. */
export function* restartUnknown(timeline: Timeline, stepper: BackStepper): Journey {
  const first = yield* stepper.firstStep();
  yield* timeline.seek(first ?? RESET);
  return first === undefined
    ? BEGINNING
    : { reason: "restart", description: "Paused where the code without symbols was entered" };
}

/**
 * To what called or interrupted the code that runs. Where the function's entry is known it is gone to
 * first: the search from step to step is short from there, though a loop may lead to it as well.
 */
export function* outOf(
  debuggee: Debuggee,
  timeline: Timeline,
  entry: FrameEntry | undefined,
  stepper: () => BackStepper,
): Journey {
  const home = debuggee.machine.instant;
  const found =
    entry?.stack === undefined ? undefined : yield* lastEntry(debuggee, timeline, entry);
  yield* timeline.seek(found ?? home);
  return yield* backTo(timeline, yield* stepper().caller());
}

/** To the VMRUN that entered the guest, before the guest's first instruction. */
export function* restartGuest(debuggee: Debuggee, timeline: Timeline): Journey {
  const { guest } = debuggee.spaces;
  const { instant } = debuggee.machine;
  const wanted = () => debuggee.spaces.guest === guest || undefined;
  const found = yield* lastEvent(debuggee, timeline, instant, ["vmrun"], wanted);
  yield* timeline.seek(found?.at ?? RESET);
  return found === undefined ? BEGINNING : { reason: "restart", description: "Paused at VMRUN" };
}

export function* seekIcount(timeline: Timeline, icount: number): Journey {
  const { endOfTime } = timeline;
  if (icount >= endOfTime.icount) yield* timeline.seek(endOfTime);
  else yield* timeline.seekIcount(icount);
  return { reason: "goto", description: `Paused at icount ${timeline.machine.icount}` };
}

/** To an icount of a future, or to its end. */
export function* seekFuture(timeline: Timeline, future: Future, icount?: number): Journey {
  const { number, end } = future;
  if (icount === undefined || icount >= end.icount) yield* timeline.seek(end, number);
  else yield* timeline.seekIcount(icount, number);
  const where = icount === undefined ? "the end" : `icount ${timeline.machine.icount}`;
  return { reason: "goto", description: `Paused at ${where} of future ${number}` };
}

/** To the occurrence of something in the recording; where there is none, back to where it began. */
export function* seekMet<T>(
  timeline: Timeline,
  arm: Arm<T>,
  occurrence: Occurrence,
  name: string,
  why: () => string | undefined = () => undefined,
  holds: () => boolean = () => false,
): Journey {
  const home = timeline.machine.instant;
  const { endOfTime } = timeline;
  /** Where it holds from the beginning on. */
  function* atReset(): Generator<SeekProgress, { at: Instant } | undefined> {
    yield* timeline.seek(RESET);
    return holds() ? { at: RESET } : undefined;
  }
  const found = yield* {
    *first() {
      return (yield* atReset()) ?? (yield* firstMet(timeline, RESET, endOfTime, arm));
    },
    next: () => firstMet(timeline, home, endOfTime, arm),
    *previous() {
      const met = yield* lastMet(timeline, home, arm);
      return met ?? (compareInstants(RESET, home) < 0 ? yield* atReset() : undefined);
    },
    *last() {
      return (yield* lastMet(timeline, endOfTime, arm, true)) ?? (yield* atReset());
    },
  }[occurrence]();
  yield* timeline.seek(found?.at ?? home);
  if (found !== undefined) return { reason: "goto", description: `Paused on ${name}` };
  const text = why();
  return {
    reason: "goto",
    description: `${ABSENT[occurrence]} ${name}`,
    ...(text === undefined ? {} : { text }),
  };
}

const ABSENT: Readonly<Record<Occurrence, string>> = {
  first: "The recording does not have",
  last: "The recording does not have",
  next: "From here to the end of the recording there is not",
  previous: "From the beginning of the recording to here there is not",
};

export function* seekEnd(timeline: Timeline): Journey {
  yield* timeline.seek(timeline.endOfTime);
  return { reason: "goto", description: "Paused at the end of the recording" };
}

/** The instant after exit N of a future's. Throws a UserError if there is no such exit. */
export function exitInstant(table: LedgerTable | undefined, number: number): Instant {
  if (table === undefined || number < 1 || number > table.extent) {
    throw new UserError(`There is no exit ${number}: the recording has ${table?.extent ?? 0}.`);
  }
  return exitRow(table, number - 1).at;
}
