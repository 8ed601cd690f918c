/** Checking changes no machine state, and costs little: counted, over a real boot where there is one. */

import { expect, test } from "vitest";
import type { BootImage } from "../../emulator/index.ts";
import { linuxUnderMinVisor, makeGuests } from "../harness/linux-guest.ts";
import { elfOf, imageOf, machineWith } from "./boot.ts";
import { attachSvm, FIRST_THREE } from "./svm.ts";

/** Runs with and without invariants; the hashes must be equal. */
function compare(image: BootImage, instructions: number) {
  const plain = machineWith(image);
  plain.run({ instructions });
  const checked = machineWith(image);
  const { violations, ...attached } = attachSvm(checked, { invariants: FIRST_THREE });
  checked.run({ instructions });
  expect(checked.icount).toBe(plain.icount);
  expect(checked.stateHash()).toBe(plain.stateHash());
  expect(violations).toEqual([]);
  return { plain, checked, attached };
}

test("the sample guest: equal state with and without invariants", () => {
  const image = imageOf(elfOf());
  for (const instructions of [300_000, 400_000]) {
    const { checked, attached } = compare(image, instructions);
    expect(attached.status().every(({ state }) => state === "holds")).toBe(true);
    expect(checked.icount).toBe(instructions);
  }
});

test("Linux: equal state after 120 M instructions, and a handful of evaluations", () => {
  makeGuests();
  const image = linuxUnderMinVisor({ append: "intercept=io,msr,hlt,intr" });
  const { plain, checked, attached } = compare(image, 120_000_000);
  const { evaluations, tableScans } = attached.counters();
  const exits = checked.state.exitCount;
  for (const { state, checked: count } of attached.status()) {
    expect(state).toBe("holds");
    expect(count).toBe(exits + checked.state.guestMode);
  }
  expect(exits).toBeGreaterThan(30);
  // All that is read is the same at each VMRUN; Accessed and Dirty bits do not count.
  expect(evaluations).toBe(3);
  expect(tableScans).toBeLessThan(20);
  const slow = checked.cpu.mmu.counters.slowPaths - plain.cpu.mmu.counters.slowPaths;
  expect(slow).toBeLessThan(plain.cpu.mmu.counters.slowPaths / 1000);
}, 180_000);
