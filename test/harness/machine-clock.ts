/** A clock for sessions of this process by which their machine retires so many instructions a second. */
import type { Machine } from "../../emulator/index.ts";
import type { SessionClock } from "./in-process-session.ts";

/** Stands still where the machine does: what waits for a later time then waits for ever. */
export function machineClock(speed: () => number, machine: () => Machine | undefined) {
  let [ms, seen] = [0, 0];
  const now = (): number => {
    const icount = machine()?.icount ?? 0;
    ms += ((icount - seen) * 1000) / speed();
    seen = icount;
    return ms;
  };
  return {
    now,
    schedule(callback, delayMs) {
      const due = now() + delayMs;
      let immediate: NodeJS.Immediate;
      const look = () => {
        if (now() >= due) callback();
        else immediate = setImmediate(look);
      };
      immediate = setImmediate(look);
      return () => clearImmediate(immediate);
    },
    /** Lets the session run until so many milliseconds more have passed. */
    async pass(forMs: number): Promise<void> {
      const end = now() + forMs;
      while (now() < end) await new Promise((resolve) => setImmediate(resolve));
    },
  } satisfies SessionClock & { pass(forMs: number): Promise<void> };
}
