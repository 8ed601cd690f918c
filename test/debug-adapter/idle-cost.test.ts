// A debugger that only waits: over the same instructions the machine does exactly the same work.
import { beforeAll, expect, test } from "vitest";
import { type BootImage, Machine } from "../../emulator/index.ts";
import { LINUX } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";
import { makeGuests } from "../harness/linux-guest.ts";

/** Some way into the kernel, past its unpacking. */
const INSTRUCTIONS = 60_000_000;

beforeAll(makeGuests, 600_000);

/** Deterministic counts of all that leaves generated code. */
const countsOf = (machine: Machine) => ({
  ...machine.cpu.engine.counters,
  ...machine.cpu.mmu.counters,
});

type Limits = Parameters<Machine["run"]>[0];

/** Notes how the session divides its run, so that another machine can be run in the same pieces. */
function notePieces(machine: Machine): Limits[] {
  const pieces: Limits[] = [];
  const run = machine.run.bind(machine);
  machine.run = (limits) => {
    pieces.push(limits);
    return run(limits);
  };
  return pieces;
}

test("the machine does nothing more under an idle debugger", async () => {
  const debugged = new InProcessSession();
  await debugged.begin({ ...LINUX, recording: false, stopOnEntry: true });
  // What is on by default; invariants and recording have goals of their own.
  await debugged.ask("setExceptionBreakpoints", { filters: ["shutdown", "invariant"] });
  const entry = debugged.next("stopped");
  await debugged.ask("configurationDone");
  await entry;
  const { machine } = debugged.session.loaded!.debuggee;
  const pieces = notePieces(machine);
  const stopped = debugged.next("stopped");
  debugged.session.resume({
    isSingle: false,
    reached: () =>
      machine.icount < INSTRUCTIONS ? undefined : { reason: "pause", description: "far enough" },
  });
  await stopped;

  const alone = new Machine({ ramBytes: 512 * 2 ** 20 });
  alone.load(machine.image as BootImage);
  for (const limits of pieces) alone.run(limits);

  expect(alone.icount).toBe(machine.icount);
  expect(machine.icount).toBeGreaterThanOrEqual(INSTRUCTIONS);
  expect(countsOf(machine)).toEqual(countsOf(alone));
  expect(machine.stateHash()).toBe(alone.stateHash());
});
