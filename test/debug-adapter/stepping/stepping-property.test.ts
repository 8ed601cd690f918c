// Steps from random instants of the sample's run: they end in their world, in the frame that was
// asked for; and single steps are those of a machine that nobody debugs.

import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import type { Stop } from "../../../debug-adapter/runner.ts";
import { worldFrames } from "../../../debug-adapter/stack.ts";
import { Stepper, type StepRequest } from "../../../debug-adapter/stepping/stepper.ts";
import type { Machine } from "../../../emulator/index.ts";
import { disassembler, LoneRunner, loadSample } from "../../harness/loaded-debuggee.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";

const SEED = testSeed();
/** Before the sample's only interrupt, which a step runs over. */
const LAST_INSTANT = 470_000;

function runTo(machine: Machine, icount: number): void {
  while (machine.icount < icount) {
    const { reason } = machine.run({ instructions: icount - machine.icount, idleTicks: 1e9 });
    if (reason !== "budget" && reason !== "observer") throw new Error(`ended: ${reason}`);
  }
}

/** Undefined where there is nothing to step out to, or the machine ended. */
function step(runner: LoneRunner, request: Omit<StepRequest, "policy">): Stop | undefined {
  const { debuggee } = runner;
  try {
    return runner.run(new Stepper(debuggee, disassembler, { ...request, policy: "sameWorld" }));
  } catch {
    return undefined;
  }
}

/** CFAs of the machine frames, innermost first, as far as the tables tell them. */
function bases(debuggee: Debuggee): bigint[] {
  const found = new Map<number, bigint>();
  for (const { depth, base, certainty } of worldFrames(debuggee, debuggee.world, 50)) {
    if (base !== undefined && certainty === "exact") found.set(depth, base);
  }
  return [...found.values()];
}

test(`next and stepOut end in the same world, in the frame or its caller (seed ${SEED})`, async () => {
  const random = randomBelow(SEED);
  let checked = 0;
  for (let i = 0; i < 24; i++) {
    // Each on its own machine: a step out may run over all instants that are left.
    const debuggee = await loadSample();
    const runner = new LoneRunner(debuggee);
    runTo(debuggee.machine, random(LAST_INSTANT));
    for (const kind of ["over", "out"] as const) {
      const { world } = debuggee;
      const before = bases(debuggee);
      const where = `${kind} at ${debuggee.machine.icount} in the ${world}`;
      const innermost = worldFrames(debuggee, world, 2).filter(({ depth }) => depth === 0);
      const stop = step(runner, { kind, granularity: "line" });
      if (stop === undefined) continue;
      expect(stop.reason, where).toBe("step");
      const isOutermost = kind === "out" && before.length <= 1 && innermost.length === 1;
      if (!isOutermost) expect(debuggee.world, where).toBe(world);
      if (before.length < 2 || isOutermost) continue;
      const [frame] = bases(debuggee);
      // Stepping out of an inlined call stays in its machine frame.
      const leaves = kind === "out" && innermost.length === 1;
      const allowed = leaves ? before.slice(1) : before;
      if (frame !== undefined) expect(allowed, where).toContain(frame);
      checked++;
    }
  }
  expect(checked).toBeGreaterThan(24);
}, 60_000);

test(`N single steps are N instructions of that world on a machine of its own (seed ${SEED})`, async () => {
  const random = randomBelow(SEED + 1);
  const debuggee = await loadSample();
  const runner = new LoneRunner(debuggee);
  const other = await loadSample();
  const at = (each: Debuggee) =>
    `${each.machine.icount} ${each.world} ${each.linearRip.toString(16)} ${each.machine.state.rsp}`;
  for (let round = 0; round < 6; round++) {
    const sixth = Math.floor(LAST_INSTANT / 6);
    const instant = random(sixth) + round * sixth;
    if (instant < debuggee.machine.icount) continue;
    runTo(debuggee.machine, instant);
    runTo(other.machine, debuggee.machine.icount);
    const { world } = debuggee;
    for (let i = 0; i < 60; i++) {
      const stop = step(runner, { kind: "in", granularity: "instruction" });
      expect(stop?.reason).toBe("step");
      singleStep(other, world);
      expect(at(debuggee), `step ${i} from ${instant}`).toBe(at(other));
    }
    expect(debuggee.machine.stateHash()).toBe(other.machine.stateHash());
  }
}, 60_000);

/** One instruction of the world; the other world runs as long as it is not this one's turn. */
function singleStep(debuggee: Debuggee, world: string): void {
  const { machine } = debuggee;
  const detach = machine.observe({
    name: "borders",
    on: { exit: () => "stop", vmrun: () => "stop", exception: () => "stop" },
  });
  const started = debuggee.linearRip;
  for (let i = 0; i < 1_000_000; i++) {
    const { icount } = machine;
    const was = debuggee.world;
    machine.run({ instructions: 1, passBreakpoint: true });
    if (debuggee.world !== world) continue;
    // An instruction that exits does not retire: it is done when the host moved rip past it.
    if ((was === world && machine.icount > icount) || debuggee.linearRip !== started) break;
  }
  detach();
}
