/** Ways to where an invariant turned false first in the run, and back to the instruction that made it so. */
import {
  firstAt,
  type Instant,
  RESET,
  type SeekProgress,
  type Timeline,
} from "../../emulator/index.ts";
import type { Culprit, Violation } from "../../invariants/index.ts";
import { stopAtViolation } from "../invariants/invariant-bodies.ts";
import type { InvariantWatch } from "../invariants/invariant-watch.ts";
import type { SeenViolation } from "../invariants/violation-history.ts";
import type { Journey } from "../runner.ts";
import { firstMet } from "./search.ts";

/** Of one invariant or of any. Throws a UserError for an unknown invariant. */
export function firstViolation(
  timeline: Timeline,
  watch: InvariantWatch,
  invariant: string | undefined,
): Journey {
  return firstJourney(timeline, watch, invariant, watch.firstSeen(invariant));
}

function* firstJourney(
  timeline: Timeline,
  watch: InvariantWatch,
  invariant: string | undefined,
  known: Known,
): Journey {
  const home = timeline.machine.instant;
  const found = yield* first(timeline, watch, invariant, known);
  if (found !== undefined) return stopAtViolation(found.violation);
  yield* timeline.seek(home);
  return { reason: "goto", description: noViolation(invariant ?? "an invariant") };
}

type Known = ReturnType<InvariantWatch["firstSeen"]>;

/** The machine is left there. What was seen since reset need not be looked for all over again. */
function* first(
  timeline: Timeline,
  watch: InvariantWatch,
  invariant: string | undefined,
  known: Known,
): Generator<SeekProgress, SeenViolation | undefined> {
  if (known === "none") return undefined;
  const arm = (meet: (violation: Violation) => void) => watch.meetWith(meet, invariant);
  const found = yield* firstMet(timeline, before(known), timeline.endOfTime, arm);
  const violation = found?.what ?? watch.metNext(invariant);
  return violation && watch.met(violation);
}

const noViolation = (which: string): string =>
  `The recording does not have a violation of ${which}`;

/** An instant from which the violation is still to come. */
const before = (icount: number | undefined): Instant =>
  icount === undefined ? RESET : firstAt(icount - 1);

/**
 * To before the instruction that wrote what makes the invariant false: the last time that it was seen
 * to be, else the first time in the recording. Throws a UserError for an unknown invariant.
 */
export function toCulprit(timeline: Timeline, watch: InvariantWatch, invariant: string): Journey {
  return culpritJourney(timeline, watch, invariant, watch.firstSeen(invariant));
}

function* culpritJourney(
  timeline: Timeline,
  watch: InvariantWatch,
  invariant: string,
  known: Known,
): Journey {
  const home = timeline.machine.instant;
  const seen = watch.lastSeen(invariant) ?? (yield* first(timeline, watch, invariant, known));
  const culprit = seen && (yield* watch.culpritOf(seen));
  yield* timeline.seek(culprit?.kind === "write" ? culprit.at : home);
  if (seen === undefined || culprit === undefined) {
    return { reason: "goto", description: noViolation(invariant) };
  }
  if (culprit.kind !== "write") {
    const text = ABSENT[culprit.kind];
    return { reason: "goto", description: `No instruction is the culprit of ${invariant}`, text };
  }
  return {
    reason: "goto",
    description: `Paused on the culprit of ${invariant}`,
    text: `This instruction makes it false: ${seen.violation.message}.`,
  };
}

const ABSENT: { readonly [K in Exclude<Culprit["kind"], "write">]: string } = {
  neverSet: "Nothing has written since reset what makes it false.",
  registers: "Registers make it false, and no byte of memory.",
  diverged: "Its writer was not found.",
};
