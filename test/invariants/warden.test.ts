// A second hypervisor with an .inv file of its own, over its own symbols: it keeps them, and each tells of what breaks it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Guests, type Machine } from "../../emulator/index.ts";
import { attachInvariants, readInvariants, type Violation } from "../../invariants/index.ts";
import { PAE_HYPERVISOR } from "../../scripts/build-minvisor.mjs";
import { machineWith, paeHypervisor, programOf } from "./boot.ts";

const PATH = "test/guests/pae-hypervisor/warden.inv";
/** Of layout.h. */
const HIGH_HALF = 0xc000_0000;

/** Host-physical addresses by name, as binutils has them. */
const ADDRESSES = new Map(
  execFileSync("nm", [PAE_HYPERVISOR], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([address, , name]) => [name, Number.parseInt(address ?? "", 16) - HIGH_HALF]),
);

function attached() {
  const program = programOf(PAE_HYPERVISOR);
  const text = readFileSync(PATH, "utf8");
  const [file] = readInvariants([{ path: PATH, text }], program);
  expect(file?.diagnostics).toEqual([]);
  const machine = machineWith(paeHypervisor());
  const violations: Violation[] = [];
  const { status } = attachInvariants(machine, {
    ...{ invariants: file?.invariants ?? [], program, guests: new Guests(machine) },
    onViolation: (violation) => violations.push(violation),
  });
  return { machine, violations, status };
}

/** Right behind an exit. */
function runToExit(machine: Machine, number: number): void {
  while (machine.state.exitCount < number) machine.run({ instructions: 1 });
}

test("ten lines, all of them kept to the end", () => {
  const { machine, violations, status } = attached();
  expect(machine.run({ instructions: 5_000_000 }).reason).toBe("powerOff");
  expect(violations).toEqual([]);
  const { exitCount } = machine.state;
  const checked = status().map(({ name, state, checked: times }) => [name, state, times]);
  expect(checked).toEqual([
    ["ward_stays_in_its_memory", "holds", exitCount],
    ["constant_page_is_read_only", "holds", exitCount],
    ["ward_is_the_one", "holds", 3],
    // Before the first exit there is none to count.
    ["exits_are_counted", "holds", exitCount - 1],
  ]);
});

const ENTRY = 8;
test.each([
  ["ward_stays_in_its_memory", "directory", 0, 0x87, 0x00, 0x80, 0x01],
  ["constant_page_is_read_only", "small_pages", ENTRY, 0x07],
  ["exits_are_counted", "the_ward", 0x30, 0xff],
  ["ward_is_the_one", "the_ward", 0x1c, 0x02],
] as const)("%s: broken in %s", (invariant, name, offset, ...bytes) => {
  const { machine, violations } = attached();
  runToExit(machine, 3);
  const address = ADDRESSES.get(name);
  machine.memory.poke(address! + offset, Uint8Array.from(bytes));
  machine.run({ instructions: 5_000_000 });
  expect(violations.map((violation) => violation.invariant)).toContain(invariant);
});
