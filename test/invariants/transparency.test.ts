/** Checking changes no machine state, and costs little: counted, over a real boot where there is one. */

import { expect, test } from "vitest";
import type { BootImage } from "../../emulator/index.ts";
import { linuxUnderMinVisor, makeGuests } from "../harness/linux-guest.ts";
import { elfOf, imageOf, machineWith } from "./boot.ts";
import { attachAll, notKept } from "./minvisor-inv.ts";

/** Runs with and without all invariants; the hashes must be equal. */
function compare(image: BootImage, instructions: number) {
  const plain = machineWith(image);
  plain.run({ instructions });
  const checked = machineWith(image);
  const { violations, ...attached } = attachAll(checked, elfOf());
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
    expect(notKept(attached.status())).toEqual([]);
    expect(checked.icount).toBe(instructions);
  }
});

test("Linux: equal state after 120 M instructions, and few evaluations an exit", () => {
  makeGuests();
  const image = linuxUnderMinVisor({ append: "intercept=io,msr,hlt,intr" });
  const { plain, checked, attached } = compare(image, 120_000_000);
  const { evaluations, tableScans } = attached.counters();
  const exits = checked.state.exitCount;
  expect(notKept(attached.status())).toEqual([]);
  expect(exits).toBeGreaterThan(100);
  // Most of what is read is the same at each VMRUN, but for what CPUID was asked and gave; Accessed
  // and Dirty bits do not count.
  expect(evaluations).toBeLessThan(5 * exits);
  expect(tableScans).toBeLessThan(20);
  const slow = checked.cpu.mmu.counters.slowPaths - plain.cpu.mmu.counters.slowPaths;
  // The builder's frame needs the first write to each page that was written before it ran: once.
  expect(slow).toBeLessThan(plain.cpu.mmu.counters.slowPaths / 50);
}, 180_000);
