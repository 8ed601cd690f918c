/** Each invariant on hand-made tables: what breaks it, when it is judged, what is unknown. */

import { expect, test } from "vitest";
import { type Machine, PageReason } from "../../emulator/index.ts";
import type { AttachOptions } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm, FIRST_THREE } from "./svm.ts";

const attach = (machine: Machine, options: Partial<AttachOptions> = {}) =>
  attachSvm(machine, { invariants: FIRST_THREE, ...options });

const turn = (machine: Machine): void => {
  expect(machine.run({ instructions: small.TURN })).toEqual({ reason: "budget" });
};

const ALL_HOLD = {
  npt_protects_hypervisor: "holds",
  npt_tables_in_hypervisor: "holds",
  vmcb_well_formed: "holds",
};

test.each([
  ["4-level", small.smallHypervisor],
  ["legacy PAE", small.smallPaeHypervisor],
])("%s tables: all hold, none before the first VMRUN", (_mode, make) => {
  const machine = make();
  const checker = attach(machine);
  expect(new Set(Object.values(checker.states()))).toEqual(new Set(["never checked"]));
  for (let i = 0; i < 5; i++) turn(machine);
  expect(machine.state.exitCount).toBe(5);
  expect(checker.states()).toEqual(ALL_HOLD);
  expect(checker.status().map(({ checked }) => checked)).toEqual([5, 5, 5]);
  expect(checker.counters().evaluations).toBe(3);
  expect(checker.violations).toEqual([]);
});

test.each([
  ["4-level", small.smallHypervisor, "PDE"],
  ["legacy PAE", small.smallPaeHypervisor, "PDE"],
])("%s tables: a leaf onto the image is found, with its entry", (_mode, make, entry) => {
  const machine = make();
  small.setEntry(machine, small.PD + 8 * 3, small.LEAF);
  const { violations } = attach(machine);
  turn(machine);
  expect(violations).toHaveLength(1);
  expect(violations[0]).toMatchObject({
    invariant: "npt_protects_hypervisor",
    message: `No guest-physical page maps onto the hypervisor's memory: m is the ${entry} at hpa:0x107018, which maps gpa:0x600000..0x800000 onto hpa:0x0..0x200000, where the image of the hypervisor lies`,
    expected: "disjoint(m.range, hv.memory)",
    actual: "m.range = hpa:0x0..0x200000, hv.memory = hpa:0x100000..0x110000",
    vmrunRip: BigInt(small.CODE),
    witness: { first: 0x10_7018, bytes: 8, value: small.LEAF },
    hypervisorMemory: { source: "derived", ranges: [small.IMAGE] },
  });
});

test("a table elsewhere is found, with the entry or the field that names it", () => {
  const byEntry = small.smallHypervisor();
  small.setEntry(byEntry, small.PDPT, BigInt(small.ELSEWHERE) | small.TABLE);
  small.setEntry(byEntry, small.ELSEWHERE, 0x40_0000n | small.LEAF);
  const checker = attach(byEntry);
  turn(byEntry);
  expect(checker.violations).toMatchObject([
    { invariant: "npt_tables_in_hypervisor", witness: { first: small.PDPT, bytes: 8 } },
  ]);
  const byRoot = small.smallHypervisor();
  small.setEntry(byRoot, small.ELSEWHERE, BigInt(small.PDPT) | small.TABLE);
  small.vmcbOf(byRoot).write("nCR3", BigInt(small.ELSEWHERE));
  const { violations } = attach(byRoot);
  turn(byRoot);
  expect(violations).toMatchObject([
    { invariant: "npt_tables_in_hypervisor", witness: { first: small.VMCB + 0xb0, bytes: 8 } },
  ]);
});

test.each([
  ["GUEST_ASID", 0, { first: 0x058, bytes: 4 }],
  ["INTERCEPT_MISC2", 2, { first: 0x010, bytes: 1 }],
  ["NP_ENABLE", 0n, { first: 0x090, bytes: 8 }],
] as const)("vmcb_well_formed is violated by %s = %s", (field, value, { first, bytes }) => {
  const machine = small.smallHypervisor();
  // Without nested tables the guest's code is at its own address.
  machine.memory.poke(0x2_0010, Uint8Array.of(0x0f, 0x01, 0xd9));
  small.vmcbOf(machine).write(field, value);
  const { violations, states } = attach(machine);
  turn(machine);
  expect(violations).toMatchObject([
    { invariant: "vmcb_well_formed", witness: { first: small.VMCB + first, bytes } },
  ]);
  const nested = field === "NP_ENABLE" ? "unknown" : "holds";
  expect(states()).toMatchObject({ npt_protects_hypervisor: nested });
});

test("an entry that the walker refuses maps nothing", () => {
  const machine = small.smallHypervisor();
  small.setEntry(machine, small.PD + 8 * 3, small.LEAF | (1n << 51n));
  small.setEntry(machine, small.PDPT + 8, (1n << 51n) | BigInt(small.ELSEWHERE) | small.TABLE);
  const { states } = attach(machine);
  turn(machine);
  expect(states()).toEqual(ALL_HOLD);
});

test("tables that map themselves end", () => {
  const machine = small.smallHypervisor();
  for (let i = 1; i < 512; i++) {
    small.setEntry(machine, small.PML4 + 8 * i, BigInt(small.PML4) | small.TABLE);
  }
  const { violations } = attach(machine);
  turn(machine);
  expect(violations.map(({ invariant }) => invariant)).toEqual(["npt_protects_hypervisor"]);
});

test("what cannot be read is unknown, and does not count as checked", () => {
  const outside = small.smallHypervisor();
  small.setEntry(outside, small.PDPT + 8, 0x8000_0000n | small.TABLE);
  const declared = [small.IMAGE, { first: 0x8000_0000, bytes: 0x1000 }];
  const checker = attach(outside, { hypervisorMemory: declared });
  turn(outside);
  expect(checker.states()).toMatchObject({
    npt_protects_hypervisor: "unknown",
    npt_tables_in_hypervisor: "unknown",
    vmcb_well_formed: "holds",
  });
  expect(checker.status()[0]).toMatchObject({
    checked: 0,
    reason: "the table at hpa:0x80000000 does not lie in RAM",
  });
  const nameless = small.smallHypervisor();
  nameless.image = undefined;
  const { states, status } = attach(nameless);
  turn(nameless);
  expect(states()).toMatchObject({ npt_protects_hypervisor: "unknown" });
  expect(status()[0]).toMatchObject({
    reason: "the image of the hypervisor is not known: declare it",
    hypervisorMemory: "unknown",
  });
});

test("a host's write is judged at the next VMRUN, a debugger's too", () => {
  const machine = small.smallHypervisor();
  const { violations, states } = attach(machine);
  turn(machine);
  machine.memory.write(small.PD + 8 * 3, 8, small.LEAF);
  expect(violations).toEqual([]);
  turn(machine);
  expect(violations).toHaveLength(1);
  small.setEntry(machine, small.PD + 8 * 3, 0n);
  turn(machine);
  expect(states()).toEqual(ALL_HOLD);
});

test("Accessed and Dirty bits change nothing and cost no evaluation", () => {
  const machine = small.smallHypervisor();
  const { counters } = attach(machine);
  turn(machine);
  expect(machine.memory.read(small.PD, 8) & 0x20n).toBe(0x20n);
  machine.memory.write(small.PD, 8, machine.memory.read(small.PD, 8) | 0x40n);
  turn(machine);
  expect(counters().evaluations).toBe(3);
});

/** The guest's page directory lies where the guest can write it, and it does. */
function hostileGuest(): Machine {
  const machine = small.smallHypervisor();
  small.setEntry(machine, small.PDPT, BigInt(small.ELSEWHERE) | small.TABLE);
  small.setEntry(machine, small.ELSEWHERE, 0x40_0000n | small.LEAF);
  small.setEntry(machine, small.ELSEWHERE + 8, BigInt(small.ELSEWHERE) | small.LEAF);
  const vmcb = small.vmcbOf(machine);
  vmcb.write("DS", { selector: 0, attributes: 0x93, limit: 0xffff, base: 0x20_0000n });
  // mov word [0x18], 0x87: the fourth leaf, onto the first 2 MiB; then vmmcall
  const code = Uint8Array.of(0xc7, 0x06, 0x18, 0x00, 0x87, 0x00, 0x0f, 0x01, 0xd9);
  machine.memory.poke(small.GUEST_CODE, code);
  return machine;
}

test("a guest's write is judged at once", () => {
  const machine = hostileGuest();
  const { violations } = attach(machine, { stopOnViolation: () => true });
  const stop = { reason: "observer", observer: "invariants" };
  expect(machine.run({ instructions: 10 })).toEqual(stop);
  expect(machine.run({ instructions: 10 })).toEqual(stop);
  expect(violations.map(({ invariant, exitNumber }) => [invariant, exitNumber])).toEqual([
    ["npt_tables_in_hypervisor", 0],
    ["npt_protects_hypervisor", 0],
  ]);
  expect(violations[1]).toMatchObject({
    icount: 1,
    vmrunRip: BigInt(small.CODE),
    witness: { first: small.ELSEWHERE + 0x18 },
  });
  expect(machine.state.guestMode).toBe(1);
});

test("after a snapshot came back, a violation is met and reported again", () => {
  const machine = small.smallHypervisor();
  const { violations, states, save, restore } = attach(machine);
  turn(machine);
  const before = machine.snapshot();
  const seen = save();
  machine.memory.write(small.PD + 8 * 3, 8, small.LEAF);
  turn(machine);
  expect(violations).toHaveLength(1);
  machine.restore(before);
  restore(seen);
  turn(machine);
  expect(states()).toEqual(ALL_HOLD);
  machine.restore(before);
  restore(seen);
  machine.memory.write(small.PD + 8 * 3, 8, small.LEAF);
  turn(machine);
  expect(violations).toHaveLength(2);
});

test("detaching leaves no watch behind", () => {
  const machine = small.smallHypervisor();
  const { detach, status } = attach(machine);
  turn(machine);
  const watched = (): boolean => (machine.memory.reasons(small.PD) & PageReason.watchWrite) !== 0;
  expect(watched()).toBe(true);
  detach();
  expect(watched()).toBe(false);
  turn(machine);
  expect(status()[0]?.checked).toBe(1);
});

test("bad options are told in one sentence", () => {
  const machine = small.smallHypervisor();
  expect(() => attach(machine, { hypervisorMemory: [] })).toThrow("declares no range");
  expect(() => attach(machine, { hypervisorMemory: [{ first: -1, bytes: 8 }] })).toThrow(
    "range of 8 bytes at -1",
  );
});
