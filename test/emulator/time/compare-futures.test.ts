// What tells two futures apart, compared with whole copies of memory and with the rows one by one.

import { beforeAll, expect, test } from "vitest";
import { Guests, loadKernel, Machine } from "../../../emulator/index.ts";
import {
  differingFields,
  differingMemory,
  differingRegisters,
  endStateOf,
  exitsUpTo,
  firstDifference,
} from "../../../emulator/time/compare-futures.ts";
import { ExitLedger, exitRow } from "../../../emulator/time/ledger.ts";
import { Timeline } from "../../../emulator/time/timeline.ts";
import { buildAll } from "../../../scripts/build-minvisor.mjs";
import { randomBelow, testSeed } from "../../harness/random.ts";
import { buildImage, multibootSource } from "../loader/build-image.ts";
import { drain, sampleMachine } from "./sample-run.ts";

beforeAll(buildAll, 300_000);

/** Counts up words all over 4 MiB, in an order that depends on the word at 6 MiB. */
const SCATTERED = `
  mov $12345, %eax
again:
  imul $1103515245, %eax
  add $12345, %eax
  xor 0x600000, %eax
  mov %eax, %ebx
  shr $10, %ebx
  and $0x3ffffc, %ebx
  incl 0x200000(%ebx)
  jmp again`;

const PAGE = 4096;

function pagesOf(machine: Machine): Uint8Array[] {
  const bytes = machine.memory.peek(0, machine.memory.ramBytes).slice();
  return Array.from({ length: bytes.length / PAGE }, (_, i) =>
    bytes.subarray(i * PAGE, (i + 1) * PAGE),
  );
}

const seed = testSeed();

test(`pages and registers that differ at two ends (seed ${seed})`, () => {
  const random = randomBelow(seed);
  const ramBytes = 8 * 2 ** 20;
  const machine = new Machine({ ramBytes });
  const kernel = { name: "scattered.elf", bytes: buildImage(multibootSource(3, "", SCATTERED)) };
  machine.load(loadKernel({ kernel, ramBytes }));
  const timeline = new Timeline(machine, { interval: 500, denseInterval: 200 });
  const ends = [];
  for (let i = 0; i < 6; i++) {
    timeline.run({ instructions: 1 + random(6_000) });
    ends.push({ state: endStateOf(machine), pages: pagesOf(machine) });
    if (i === 0) continue;
    drain(timeline.seekIcount(random(machine.icount)));
    machine.enter({ kind: "memory", address: 0x60_0000, bytes: Uint8Array.of(random(8)) });
  }
  for (const a of ends) {
    for (const b of ends) {
      const expected = a.pages.flatMap((page, i) =>
        Buffer.compare(page, b.pages[i]!) === 0 ? [] : [i],
      );
      expect(differingMemory(a.state, b.state)).toEqual(expected);
      const registers = differingRegisters(a.state, b.state);
      for (const { name, a: one, b: other } of registers) {
        expect([one, other], name).toEqual([
          a.state.registers.get(name),
          b.state.registers.get(name),
        ]);
      }
      const names = registers.map(({ name }) => name);
      const isSame = a.state.registers.get("rax") === b.state.registers.get("rax");
      expect(names.includes("rax")).toBe(!isSame);
      expect(names.filter((name) => /^(cs|es|gdtr|cr|xmm)/.test(name))).toEqual([]);
      if (a === b) expect(registers).toEqual([]);
    }
  }
});

test("the first exit that differs, and in what", () => {
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { followers: [guests, ledger] });
  const until = (exits: number) => {
    const detach = machine.observe({ name: "stopper", on: { exit: () => "stop" } });
    while (ledger.length < exits) timeline.run({ instructions: 100_000, idleTicks: 1e9 });
    detach();
  };
  until(12);
  const fork = exitRow(ledger.table, 4).at;
  drain(timeline.seek(fork));
  // No exit depends on this.
  machine.edit((state) => {
    state.dr1 = 5n;
  });
  until(12);
  const same = ledger.tableLeft(1)!;
  expect(firstDifference(ledger.table, same)).toBeUndefined();
  until(15);
  expect(firstDifference(ledger.table, same)).toBe(12);
  expect(firstDifference(same, ledger.table)).toBe(12);
  drain(timeline.seek(fork));
  machine.edit((state) => {
    state.rip = state.rip + 0x100n;
    state.rcx = 0n;
  });
  for (let i = 0; i < 40; i++) timeline.run({ instructions: 5_000, idleTicks: 1e9 });
  const both = Math.min(ledger.table.extent, same.extent);
  const naive = Array.from({ length: both }, (_, row) => row).find(
    (row) => differingFields(exitRow(ledger.table, row), exitRow(same, row)).length > 0,
  );
  expect(firstDifference(ledger.table, same)).toBe(naive ?? both);
  expect(exitsUpTo(same, fork)).toBe(5);
  expect(exitsUpTo(same, { ...fork, events: fork.events - 1 })).toBe(4);
  expect(exitsUpTo(same, timeline.futures[0]!.end)).toBe(12);
});
