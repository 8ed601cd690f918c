/** The search for a culprit: exact rips, the right write among many, and honest answers without one. */

import { expect, test } from "vitest";
import { Machine, Timeline } from "../../emulator/index.ts";
import {
  type Culprit,
  findCulprit,
  type RunAgain,
  runAgain,
  type Violation,
} from "../../invariants/index.ts";
import { randomBelow, testSeed } from "../harness/random.ts";

const SEED = testSeed();
const CODE = 0x1000;
const DATA = 0x8ff0;

/** Real mode, code at 0:1000, data segments at 0. */
function machineWith(code: readonly number[], data: readonly number[] = []): Machine {
  const machine = new Machine({ ramBytes: 1 << 20 });
  machine.memory.poke(CODE, Uint8Array.from(code));
  machine.memory.poke(DATA, Uint8Array.from(data));
  const { state, cpu } = machine;
  state.cr0 = 0x10n;
  Object.assign(state.cs, { selector: 0, base: 0n, limit: 0xffff, attributes: 0x9b });
  for (const segment of [state.ds, state.es, state.ss]) {
    Object.assign(segment, { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 });
  }
  state.rip = BigInt(CODE);
  cpu.deriveMode();
  return machine;
}

interface Wanted {
  readonly icount: number;
  readonly value: bigint;
  readonly first?: number;
  readonly bytes?: number;
  readonly statusBits?: bigint;
}

function violationOf({ icount, value, ...witness }: Wanted): Violation {
  return {
    ...{ invariant: "test", message: "", expected: "", actual: "" },
    ...{ icount, vmrunRip: 0n, exitNumber: 0, lastGood: undefined },
    witness: { first: DATA, bytes: 2, statusBits: 0n, ...witness, value },
    writer: undefined,
    hypervisorMemory: { source: "declared", ranges: [] },
  };
}

function culpritOf(make: () => Machine, wanted: Wanted, run?: RunAgain): Culprit {
  const violation = violationOf(wanted);
  const timeline = runAgain(make(), violation, run);
  const search = findCulprit(timeline, violation);
  for (;;) {
    const { done, value } = search.next();
    if (!done) continue;
    // The machine stands where the culprit is about to run.
    if (value.kind === "write") {
      expect(timeline.machine.instant).toEqual(value.at);
      expect(timeline.machine.state.rip).toBe(value.rip);
    }
    timeline.dispose();
    return value;
  }
}

const write = (rip: number, icount: number) => ({
  ...{ kind: "write", rip: BigInt(rip), at: { icount, idleTicks: 0, events: 0 } },
  ...{ world: "host", exitNumber: 0 },
});

/** mov word [at], value: six bytes. */
const store = (at: number, value: number) => [
  ...[0xc7, 0x06, at & 0xff, at >> 8, value & 0xff, value >> 8],
];

test("the last write that changed the bytes, not one that repeats them or writes beside them", () => {
  const code = [0x1111, 0x2222, 0x2222].flatMap((value) => store(DATA, value));
  code.push(...store(DATA + 2, 0x3333), ...store(DATA - 2, 0x4444));
  const wanted = { icount: 5, value: 0x2222n };
  expect(culpritOf(() => machineWith(code), wanted)).toEqual(write(CODE + 6, 1));
});

test("a write before the violation counts, one after it does not", () => {
  const code = [0x1111, 0x2222].flatMap((value) => store(DATA, value));
  const before = { icount: 0, value: 0x1111n };
  expect(culpritOf(() => machineWith(code), before)).toEqual(write(CODE, 0));
});

test("bytes that were only ever rewritten with what they held: the last of those writes", () => {
  const code = [...store(DATA, 0x2222), ...store(DATA, 0x2222), 0x90];
  const make = () => machineWith(code, [0x22, 0x22]);
  expect(culpritOf(make, { icount: 2, value: 0x2222n })).toEqual(write(CODE + 6, 1));
});

test("a string instruction, and a store across a page", () => {
  // mov di, 8ff0; mov cx, 4; mov al, 7; rep stosb; then mov word [8fff], 0102
  const code = [...[0xbf, 0xf0, 0x8f], ...[0xb9, 4, 0], ...[0xb0, 7], ...[0xf3, 0xaa]];
  code.push(...store(0x8fff, 0x0102), 0x90);
  expect(culpritOf(() => machineWith(code), { icount: 8, value: 0x0707n })).toEqual(
    write(CODE + 8, 4),
  );
  const across = { icount: 8, value: 1n, first: 0x9000, bytes: 1 };
  expect(culpritOf(() => machineWith(code), across)).toEqual(write(CODE + 10, 7));
});

test("what the loader placed was never set", () => {
  const make = () => machineWith([0x90, 0x90], [0x22, 0x22]);
  expect(culpritOf(make, { icount: 1, value: 0x2222n })).toEqual({ kind: "neverSet" });
});

test("status bits that the CPU sets have no culprit", () => {
  const code = [...store(DATA, 0x0087), ...store(DATA, 0x00e7), 0x90];
  const wanted = { icount: 2, value: 0x0087n, statusBits: 0x60n };
  expect(culpritOf(() => machineWith(code), wanted)).toEqual(write(CODE, 0));
});

test("a run that was another one is said to be so", () => {
  const other = () => machineWith(store(DATA, 0x1111));
  expect(culpritOf(other, { icount: 1, value: 0x2222n })).toEqual({
    kind: "diverged",
    reason: "the bytes came out as 0x1111, not 0x2222",
  });
  const halted = () => machineWith([0xfa, 0xf4]);
  expect(culpritOf(halted, { icount: 9, value: 0n })).toMatchObject({ kind: "diverged" });
});

test("the search comes in slices and can be left", () => {
  const machine = machineWith([0xeb, 0xfe]);
  const violation = violationOf({ icount: 1_200_000, value: 0n });
  const before = machine.memory.reasons(DATA);
  const search = findCulprit(runAgain(machine, violation), violation);
  const progress = (icount: number) => ({ done: false, value: { icount } });
  expect(search.next()).toEqual(progress(500_000));
  expect(search.next()).toEqual(progress(1_000_000));
  // At the violation the bytes are what they were; then it is looked for who wrote them.
  expect(search.next()).toEqual(progress(500_000));
  expect(machine.memory.reasons(DATA)).not.toBe(before);
  search.return({ kind: "neverSet" });
  expect(machine.memory.reasons(DATA)).toBe(before);
  expect(machine.icount).toBe(500_000);
});

/** inc word [DATA + 2 * (si & 7)]; add si, dx; over and over, with dx from memory that inputs change. */
const SCATTERED = [
  ...[0x89, 0xf3, 0x83, 0xe3, 0x07, 0x01, 0xdb], // mov bx, si; and bx, 7; add bx, bx
  ...[0xff, 0x87, DATA & 0xff, DATA >> 8], // inc word [bx + DATA]
  ...[0x03, 0x36, 0x00, 0x80, 0xeb, 0xef], // add si, [0x8000]; jmp back
];

/** Each run of the machine is in the past of a timeline with a snapshot every 500 instructions. */
function scattered(random: (below: number) => number) {
  const timeline = new Timeline(machineWith(SCATTERED), { interval: 500 });
  while (timeline.machine.icount < 20_000) {
    timeline.run({ instructions: 500 });
    const step = Uint8Array.of(random(16), random(256));
    if (random(4) === 0) timeline.enter({ kind: "memory", address: 0x8000, bytes: step });
  }
  return timeline;
}

test.each(Array.from({ length: 10 }, (_, i) => [SEED + i]))(
  "from snapshots it is what it is from reset, though they are dropped meanwhile (seed %i)",
  (seed) => {
    const random = randomBelow(seed);
    const past = scattered(random);
    const { machine, snapshots } = past;
    const inputs = [...past.inputs.all];
    const first = DATA + 2 * random(8);
    const { icount } = machine;
    const value = BigInt(machine.memory.read(first, 2));
    const lent = snapshots.lend(machine.instant);
    expect(lent.all.length).toBeGreaterThan(10);
    // The session goes on, in another future: what was lent is not its own any more.
    past.mayFork = true;
    for (const _ of past.seekIcount(3000));
    past.enter({ kind: "memory", address: first, bytes: Uint8Array.of(1, 2) });
    for (let i = 0; i < 40; i++) past.run({ instructions: 500 });
    const make = () => machineWith(SCATTERED);
    const wanted = { icount: icount - 1, value, first };
    const fromReset = culpritOf(make, wanted, { inputs });
    expect(fromReset.kind).not.toBe("diverged");
    expect(culpritOf(make, wanted, { inputs, snapshots: lent.all })).toEqual(fromReset);
    lent.giveBack();
  },
);

test("what was written shortly before costs no more than the stretch since the last snapshot", () => {
  const past = new Timeline(machineWith([0xff, 0x06, DATA & 0xff, DATA >> 8, 0xeb, 0xfa]), {
    interval: 500,
  });
  while (past.machine.icount < 20_000) past.run({ instructions: 500 });
  const machine = machineWith([]);
  let retired = 0;
  const run = machine.run.bind(machine);
  machine.run = (limits) => {
    const before = machine.icount;
    const result = run(limits);
    retired += machine.icount - before;
    return result;
  };
  const { all: snapshots } = past.snapshots.lend(past.machine.instant);
  const found = culpritOf(() => machine, { icount: 19_999, value: 10_000n }, { snapshots });
  expect(found).toEqual(write(CODE, 19_998));
  expect(retired).toBeLessThan(3 * 500);
});
