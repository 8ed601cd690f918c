// N steps forward and N back: the same states, in both worlds, over VMRUN, exits, interrupts, REP and code that changes itself.

import { expect, test } from "vitest";
import { type Instant, type Machine, Timeline } from "../../../emulator/index.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";
import { Rig } from "../machine/rig.ts";
import { drain, sampleMachine } from "./sample-run.ts";

const SEED = testSeed();

/** Increments the operand of its own next instruction, and stores that seven times by REP STOSB. */
const CHANGES_ITSELF =
  // inc byte [rip+1]; mov al, 0; mov edi, 100000h; mov ecx, 7; rep stosb; jmp to the beginning
  "fe 05 01 00 00 00 b0 00 bf 00 00 10 00 b9 07 00 00 00 f3 aa eb ea";

interface Seen {
  readonly at: Instant;
  readonly hash: string;
  readonly isGuest: boolean;
}

const seen = (machine: Machine): Seen => ({
  at: machine.instant,
  hash: machine.stateHash(),
  isGuest: machine.state.guestMode !== 0,
});

/** The states before each of `count` steps from here; back over them they are the same. */
function forwardAndBack(timeline: Timeline, count: number): Seen[] {
  const { machine } = timeline;
  const states: Seen[] = [];
  for (let i = 0; i < count; i++) {
    states.push(seen(machine));
    timeline.run({ instructions: 1, idleTicks: Number.POSITIVE_INFINITY });
  }
  for (const expected of [...states].reverse()) {
    drain(timeline.seek(expected.at));
    expect(seen(machine)).toEqual(expected);
  }
  return states;
}

test(`REP STOSB and code that changes itself (seed ${SEED})`, () => {
  const below = randomBelow(SEED);
  const rig = new Rig("long");
  rig.code(CHANGES_ITSELF);
  const timeline = new Timeline(rig.machine, { interval: 200, denseInterval: 37 });
  timeline.run({ instructions: 2000 });
  for (let i = 0; i < 4; i++) {
    drain(timeline.seekIcount(below(1900)));
    const states = forwardAndBack(timeline, 30);
    expect(new Set(states.map(({ hash }) => hash)).size).toBe(30);
  }
});

test(`both worlds, VMRUN, exits and interrupts (seed ${SEED})`, () => {
  const below = randomBelow(SEED);
  const machine = sampleMachine();
  const exits: number[] = [];
  const interrupts: number[] = [];
  const detach = machine.observe({
    name: "test",
    on: {
      exit: () => {
        exits.push(machine.icount);
        return undefined;
      },
      exception: ({ external }) => {
        if (external) interrupts.push(machine.icount);
        return undefined;
      },
    },
  });
  const timeline = new Timeline(machine, { denseInterval: 20_000 });
  const limits = { instructions: 1_000_000, idleTicks: Number.POSITIVE_INFINITY };
  while (machine.icount < 1_000_000 && timeline.run(limits).reason === "budget") {}
  detach();
  expect(exits.length).toBeGreaterThan(10);
  expect(interrupts.length).toBeGreaterThan(0);
  const middles = [exits[below(exits.length)]!, exits[below(exits.length)]!, interrupts[0]!];
  for (const middle of middles) {
    drain(timeline.seekIcount(middle - 6));
    forwardAndBack(timeline, 14);
  }
  drain(timeline.seekIcount(exits[below(exits.length)]! - 4));
  const worlds = new Set(forwardAndBack(timeline, 12).map(({ isGuest }) => isGuest));
  expect([...worlds].sort()).toEqual([false, true]);
});
