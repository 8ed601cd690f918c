/** The last of some events of the machine before an instant at which something holds. */
import type { Instant, Met, SeekProgress, Timeline } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import { lastMet } from "./search.ts";

/**
 * `wanted` is asked at each event, and its value is what was met; undefined lets the search go on.
 * The instant is the one behind the event, for `execute` the one before the instruction at one of
 * the `places`. At an `exception`, an interrupt too, it is asked before the delivery. The machine is left somewhere in the past.
 */
export function lastEvent<T>(
  debuggee: Debuggee,
  timeline: Timeline,
  before: Instant,
  events: readonly ("exit" | "vmrun" | "execute" | "exception")[],
  wanted: () => T | undefined,
  places: readonly bigint[] = [],
): Generator<SeekProgress, Met<T> | undefined> {
  const { machine } = debuggee;
  const { engine } = machine.cpu;
  return lastMet(timeline, before, (meet: (what: T) => "stop") => {
    const ask = () => {
      const what = wanted();
      return what === undefined ? undefined : meet(what);
    };
    const detach = machine.observe({
      name: "last event",
      on: Object.fromEntries(events.map((each) => [each, ask])),
    });
    for (const place of places) engine.addBreakpoint(place);
    return () => {
      for (const place of places) engine.removeBreakpoint(place);
      detach();
    };
  });
}
