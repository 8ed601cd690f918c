/** Goes back to what wrote a place last: a byte range in any space, a register, an MSR, a VMCB field. */
import type { Timeline } from "../../emulator/index.ts";
import { findData } from "../breakpoints/data.ts";
import type { Debuggee } from "../debuggee.ts";
import { placeName } from "../place-access.ts";
import type { Journey } from "../runner.ts";
import type { ValuePlace } from "../value-place.ts";
import { StepsBefore } from "./steps-before.ts";
import { writesBefore } from "./writes.ts";

/** Throws a UserError for a place that cannot be watched. */
export function lastWriter(debuggee: Debuggee, timeline: Timeline, place: ValuePlace): Journey {
  findData(debuggee, place, "write");
  return journey(debuggee, timeline, place);
}

function* journey(debuggee: Debuggee, timeline: Timeline, place: ValuePlace): Journey {
  const home = debuggee.machine.instant;
  const [found] = yield* writesBefore(debuggee, timeline, place, home, 1);
  const name = placeName(place);
  if (found === undefined) {
    yield* timeline.seek(home);
    return { reason: "goto", description: `Nothing has written ${name} since reset` };
  }
  const { hit, row } = found.what;
  // At the instruction that wrote; what an exit wrote is there when it has come.
  yield* timeline.seek(found.at);
  if (row.instructionReference !== undefined) {
    const before = yield* new StepsBefore(debuggee, timeline, found.at).take();
    yield* timeline.seek(before?.at ?? found.at);
  }
  const text = hit.text?.(row.writer);
  return {
    reason: "goto",
    description: `Paused where ${name} was written last`,
    text: text ?? hit.description,
  };
}
