/** The search for a culprit: exact rips, the right write among many, and honest answers without one. */

import { expect, test } from "vitest";
import { Machine } from "../../emulator/index.ts";
import { type Culprit, findCulprit, type Violation } from "../../invariants/index.ts";

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
    hypervisorMemory: { source: "declared", ranges: [] },
  };
}

function culpritOf(make: () => Machine, wanted: Wanted): Culprit {
  const search = findCulprit(make, violationOf(wanted));
  for (;;) {
    const step = search.next();
    if (step.done) return step.value;
  }
}

const write = (rip: number, icount: number) => ({
  ...{ kind: "write", rip: BigInt(rip), icount },
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
  const search = findCulprit(() => machine, violationOf({ icount: 5_000_000, value: 0n }));
  const first = search.next();
  expect(first).toEqual({ done: false, value: { icount: 500_000, end: 5_000_001 } });
  expect(machine.memory.reasons(DATA)).not.toBe(8);
  search.return({ kind: "neverSet" });
  expect(machine.memory.reasons(DATA)).toBe(8);
  expect(machine.icount).toBe(500_000);
});
