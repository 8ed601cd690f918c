/** Goes back to what wrote a place last: a byte range in any space, a register, an MSR, a VMCB field. */
import type { SeekProgress, Timeline } from "../../emulator/index.ts";
import type { Hit } from "../breakpoints/breakpoint.ts";
import { dataTrigger, findData } from "../breakpoints/data.ts";
import { instructionName } from "../breakpoints/data-access.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Journey } from "../execution.ts";
import { placeName } from "../place-access.ts";
import type { ValuePlace } from "../value-place.ts";
import { StepsBefore } from "./steps-before.ts";

interface Written {
  readonly hit: Hit;
  readonly writer: string;
}

/** Throws a UserError for a place that cannot be watched. */
export function lastWriter(debuggee: Debuggee, timeline: Timeline, place: ValuePlace): Journey {
  findData(debuggee, place, "write");
  return journey(debuggee, timeline, place);
}

function* journey(debuggee: Debuggee, timeline: Timeline, place: ValuePlace): Journey {
  const home = debuggee.machine.instant;
  const found = yield* search(debuggee, timeline, place);
  const name = placeName(place);
  if (found === undefined) {
    yield* timeline.seek(home);
    return { reason: "goto", description: `Nothing has written ${name} since reset` };
  }
  const { hit, writer } = found.what;
  // At the instruction that wrote; what #VMEXIT wrote is there when it has come.
  yield* timeline.seek(found.at);
  if (!(hit.inVmcb && debuggee.exits.isAtExit)) {
    const before = yield* new StepsBefore(debuggee, timeline, found.at).take();
    yield* timeline.seek(before?.at ?? found.at);
  }
  const text = hit.text?.(writer);
  return {
    reason: "goto",
    description: `Paused where ${name} was written last`,
    text: text ?? hit.description,
  };
}

function* search(
  debuggee: Debuggee,
  timeline: Timeline,
  place: ValuePlace,
): Generator<SeekProgress, { at: typeof debuggee.machine.instant; what: Written } | undefined> {
  const trigger = dataTrigger(place, "write");
  let met: Written | undefined;
  const arm = () =>
    trigger.arm(debuggee, (hit) => {
      met = { hit, writer: instructionName(debuggee, hit.rip ?? debuggee.linearRip) };
      return "stop";
    });
  let release = arm();
  const { onWentBack } = timeline;
  // A trigger compares with what it saw last: after a way back it begins anew.
  timeline.onWentBack = () => {
    onWentBack();
    release();
    release = arm();
    met = undefined;
  };
  try {
    const take = () => {
      const now = met;
      met = undefined;
      return now;
    };
    // What wrote may have ended in the present instant: an exit, or the step before.
    return yield* timeline.last(debuggee.machine.instant, take, true);
  } finally {
    timeline.onWentBack = onWentBack;
    release();
  }
}
