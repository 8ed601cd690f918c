/** The last event before an instant at which something holds: the one search that ways back are made of. */
import type { Instant, Met, SeekProgress, Timeline } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";

/**
 * `wanted` is asked at each event, and its value is what was met; undefined lets the search go on.
 * The instant is the one behind the event, for `execute` the one before the instruction at one of
 * the `places`. The machine is left somewhere in the past.
 */
export function* lastEvent<T>(
  debuggee: Debuggee,
  timeline: Timeline,
  before: Instant,
  event: "exit" | "vmrun" | "execute",
  wanted: () => T | undefined,
  places: readonly bigint[] = [],
): Generator<SeekProgress, Met<T> | undefined> {
  const { machine } = debuggee;
  const { engine } = machine.cpu;
  let met: T | undefined;
  const detach = machine.observe({
    name: "last event",
    on: {
      [event]: () => {
        met = wanted();
        return met === undefined ? undefined : "stop";
      },
    },
  });
  for (const place of places) engine.addBreakpoint(place);
  try {
    return yield* timeline.last(before, () => {
      const now = met;
      met = undefined;
      return now;
    });
  } finally {
    for (const place of places) engine.removeBreakpoint(place);
    detach();
  }
}
