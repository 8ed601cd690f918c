// A running session listens between slices of the run: how long they are by a clock that follows the machine.
import { expect, test } from "vitest";
import { LOOPS_GUEST, LOOPS_GUEST_ELF } from "../../scripts/build-minvisor.mjs";
import { SAMPLE } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";

const LOOPS = { ...SAMPLE, modules: [LOOPS_GUEST], symbols: [LOOPS_GUEST_ELF], pacing: false };
/** A pause answers within it. */
const GOAL_MS = 50;
/** The first slice of all is made for a slow machine. */
const SPEEDS = [2_500_000, 40_000_000, 1_000_000_000];

test.each(SPEEDS)("at %i instructions a second none keeps a pause waiting", async (speed) => {
  const now = () => ((session.session.loaded?.debuggee.machine.icount ?? 0) * 1000) / speed;
  const session = new InProcessSession({ now });
  await session.begin(LOOPS);
  await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "guest_main" }] });
  const atMain = session.next("stopped");
  await session.ask("configurationDone");
  await atMain;
  await session.ask("evaluate", { expression: "calls = 0xffffffff", context: "repl" });
  const { machine } = session.session.loaded!.debuggee;
  const slices: number[] = [];
  const run = machine.run.bind(machine);
  machine.run = (limits) => {
    const before = now();
    const result = run(limits);
    slices.push(now() - before);
    return result;
  };
  await session.ask("continue", { threadId: 1 });
  const end = machine.icount + Math.min(speed, 20_000_000);
  while (machine.icount < end) await new Promise((resolve) => setImmediate(resolve));
  const stopped = session.next<{ reason: string }>("stopped");
  await session.ask("pause", { threadId: 1 });
  expect((await stopped).reason).toBe("pause");
  session.session.close();
  expect(Math.max(...slices)).toBeLessThanOrEqual(GOAL_MS);
  // Nor so short that the session does nothing but listen.
  expect(slices.at(-2)).toBeGreaterThan(2);
});
