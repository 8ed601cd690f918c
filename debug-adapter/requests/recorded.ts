/** The machine with its past, for requests that go there. */
import type { Timeline } from "../../emulator/index.ts";
import { type Context, stoppedIn } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import { UserError } from "../text.ts";

export interface Recorded {
  readonly debuggee: Debuggee;
  readonly timeline: Timeline;
}

/** The stopped machine with its past. Throws a UserError where it is not recorded. */
export function recordedIn(context: Context): Recorded {
  const { debuggee } = stoppedIn(context);
  const { timeline } = debuggee;
  if (timeline === undefined) {
    throw new UserError(
      'This session does not record: set "recording" to true in the launch configuration to go back.',
    );
  }
  return { debuggee, timeline };
}
