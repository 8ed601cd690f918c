// A running session listens between slices of the run: how long they are by a clock that follows the machine.
import { expect, test } from "vitest";
import { LONG_MODE_GUEST } from "../../scripts/build-minvisor.mjs";
import { LOOPS, SAMPLE } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";
import { machineClock } from "../harness/machine-clock.ts";

/** A pause answers within it. */
const GOAL_MS = 50;
/** The first slice of all is made for a slow machine. */
const SPEEDS = [2_500_000, 40_000_000, 1_000_000_000];

function sessionAt(speed: () => number) {
  const clock = machineClock(speed, () => session.session.loaded?.debuggee.machine);
  const session: InProcessSession = new InProcessSession(clock);
  return { clock, session };
}

async function pause(session: InProcessSession): Promise<void> {
  const stopped = session.next<{ reason: string }>("stopped");
  await session.ask("pause", { threadId: 1 });
  expect((await stopped).reason).toBe("pause");
}

/** Runs to the guest's loop, which has no end; milliseconds of each slice from then on. */
async function slicesOf({ clock, session }: ReturnType<typeof sessionAt>): Promise<number[]> {
  await session.begin({ ...LOOPS, pacing: false });
  await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "guest_main" }] });
  const atMain = session.next("stopped");
  await session.ask("configurationDone");
  await atMain;
  await session.ask("evaluate", { expression: "calls = 0xffffffff", context: "repl" });
  const { machine } = session.session.loaded!.debuggee;
  const slices: number[] = [];
  const run = machine.run.bind(machine);
  machine.run = (limits) => {
    const before = clock.now();
    const result = run(limits);
    slices.push(clock.now() - before);
    return result;
  };
  return slices;
}

test.each(SPEEDS)("at %i instructions a second none keeps a pause waiting", async (speed) => {
  const { clock, session } = sessionAt(() => speed);
  const slices = await slicesOf({ clock, session });
  await session.ask("continue", { threadId: 1 });
  await clock.pass(Math.min(1000, 20_000_000_000 / speed));
  await pause(session);
  session.session.close();
  expect(Math.max(...slices)).toBeLessThanOrEqual(GOAL_MS);
  // Nor so short that the session does nothing but listen.
  expect(slices.at(-2)).toBeGreaterThan(2);
});

test("a machine that a condition at every call makes a hundred times slower is soon paused again", async () => {
  let speed = 10_000_000;
  const { clock, session } = sessionAt(() => speed);
  const slices = await slicesOf({ clock, session });
  await session.ask("continue", { threadId: 1 });
  await clock.pass(100);
  await pause(session);
  const fast = slices.length;
  const breakpoints = [{ name: "mix", condition: "a == 0x12345678 && b == 0xffffffff" }];
  await session.ask("setFunctionBreakpoints", { breakpoints });
  speed /= 100;
  await session.ask("continue", { threadId: 1 });
  await clock.pass(1500);
  await pause(session);
  session.session.close();
  const slow = slices.slice(fast);
  expect(slow[0]).toBeGreaterThan(GOAL_MS);
  expect(slow.findIndex((ms) => ms <= GOAL_MS)).toBeLessThan(5);
  expect(slow.slice(5).every((ms) => ms <= GOAL_MS)).toBe(true);
});

test("a pause in HLT that nothing ends does not wait for the end of the session's sleep", async () => {
  const { session } = sessionAt(() => 1_000_000);
  const attributes = { kernel: LONG_MODE_GUEST, modules: [], symbols: [], stopOnEntry: true };
  await session.begin({ ...SAMPLE, ...attributes });
  const atEntry = session.next("stopped");
  await session.ask("configurationDone");
  await atEntry;
  const { machine } = session.session.loaded!.debuggee;
  const memoryReference = `hva:0x${machine.state.rip.toString(16)}`;
  const data = Buffer.from([0xf4]).toString("base64");
  await session.ask("writeMemory", { memoryReference, data });
  const [from, until] = [machine.icount, machine.icount + 1];
  await session.ask("continue", { threadId: 1 });
  while (machine.icount < until) await new Promise((resolve) => setImmediate(resolve));
  // The clock stands still from here on, and with it all that sleeps.
  await pause(session);
  expect(machine.icount - from).toBe(1);
  session.session.close();
});
