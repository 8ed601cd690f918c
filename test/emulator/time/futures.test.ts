// Changes of the past fork the run: every future comes again with the same states and exits, whatever was between.

import { describe, expect, test } from "vitest";
import { Guests } from "../../../emulator/index.ts";
import { type Instant, RESET } from "../../../emulator/time/instant.ts";
import { ExitLedger, exitRow } from "../../../emulator/time/ledger.ts";
import type { LedgerTable } from "../../../emulator/time/ledger-columns.ts";
import { DivergedError, Timeline } from "../../../emulator/time/timeline.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";
import { drain, sampleMachine } from "./sample-run.ts";

function recorded(interval = 40_000, budgetBytes = 64 * 2 ** 20) {
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const followers = [guests, ledger];
  const timeline = new Timeline(machine, {
    ...{ interval, denseInterval: 15_000, budgetBytes, followers },
  });
  return { machine, ledger, timeline };
}

const rowsOf = (table: LedgerTable, length = table.extent) =>
  Array.from({ length }, (_, row) => exitRow(table, row));

/** Until that many exits have come, or the machine ends. */
function runToExits({ timeline, ledger }: ReturnType<typeof recorded>, exits: number): void {
  while (ledger.length < exits) {
    const { reason } = timeline.run({ instructions: 1_000, idleTicks: 1e9 });
    if (!["budget", "idle", "observer"].includes(reason)) return;
  }
}

const poke = (value: number, address = 0x300_0000) =>
  ({ kind: "memory", address, bytes: Uint8Array.of(value) }) as const;

test("the future that was left is kept, with its exits, and comes again", () => {
  const run = recorded();
  const { machine, timeline, ledger } = run;
  runToExits(run, 8);
  const old = { end: machine.instant, hash: machine.stateHash(), rows: rowsOf(ledger.table) };
  const fork = (old.rows[2] as (typeof old.rows)[number]).at;
  drain(timeline.seek(fork));
  machine.enter(poke(1));
  expect(timeline.future).toBe(2);
  expect(timeline.futures.map(({ number, fork, end }) => ({ number, fork, end }))).toEqual([
    { number: 1, fork: undefined, end: old.end },
    { number: 2, fork: { from: 1, at: fork, inputs: 0 }, end: fork },
  ]);
  expect(rowsOf(ledger.tableLeft(1)!)).toEqual(old.rows);
  runToExits(run, 6);
  const now = { end: machine.instant, hash: machine.stateHash(), rows: rowsOf(ledger.table) };
  drain(timeline.seek(old.end, 1));
  expect(timeline.future).toBe(1);
  expect(machine.stateHash()).toBe(old.hash);
  expect(rowsOf(ledger.table)).toEqual(old.rows);
  expect(timeline.isInPast).toBe(false);
  expect(rowsOf(ledger.tableLeft(2)!)).toEqual(now.rows);
  drain(timeline.seek(RESET, 2));
  drain(timeline.seek(now.end));
  expect(machine.stateHash()).toBe(now.hash);
});

test("an input at the instant of the fork belongs to its own future alone", () => {
  const run = recorded(1_000_000);
  const { machine, timeline } = run;
  const there = () => [0x300_0000, 0x301_0000].map((address) => machine.memory.peek(address, 1)[0]);
  timeline.run({ instructions: 150_000 });
  const at = machine.instant;
  machine.enter(poke(7));
  runToExits(run, 6);
  const end = machine.instant;
  const hash = machine.stateHash();
  drain(timeline.seekIcount(at.icount - 1_000));
  // A run in the past takes no snapshot where it ends.
  timeline.run({ instructions: 1_000 });
  expect(machine.instant).toEqual(at);
  machine.enter(poke(8, 0x301_0000));
  // This snapshot is of the instant at which the two part, and not of both.
  timeline.keep();
  expect(there()).toEqual([7, 8]);
  drain(timeline.seek(at, 1));
  expect(there()).toEqual([7, 0]);
  drain(timeline.seek(end));
  expect(machine.stateHash()).toBe(hash);
  drain(timeline.seek(at, 2));
  expect(there()).toEqual([7, 8]);
});

test("beyond so many futures the oldest go, and the run as it was without changes stays", () => {
  const run = recorded(40_000, 512 * 2 ** 20);
  const { machine, timeline, ledger } = run;
  runToExits(run, 4);
  const { at } = exitRow(ledger.table, 1);
  for (let i = 0; i < 40; i++) {
    drain(timeline.seek(at, 1));
    machine.enter(poke(i));
  }
  const numbers = timeline.futures.map(({ number }) => number);
  expect(numbers).toHaveLength(33);
  expect([numbers[0], numbers[1], numbers.at(-1)]).toEqual([1, 10, 41]);
  expect(ledger.tableLeft(2)).toBeUndefined();
  expect(() => drain(timeline.seek(at, 2))).toThrow("There is no future 2");
  expect(() => drain(timeline.seek(machine.instant, 1))).not.toThrow();
  expect(() => drain(timeline.seek({ ...at, icount: at.icount + 10 }, 41))).toThrow(DivergedError);
  expect(timeline.future).toBe(1);
});

test("the oldest futures go, and then snapshots, where they take more than the budget", () => {
  const budget = 40 * 2 ** 20;
  const run = recorded(10_000, budget);
  const { machine, timeline, ledger } = run;
  runToExits(run, 40);
  const { at } = exitRow(ledger.table, 20);
  const expectWithin = () => {
    expect(ledger.leftBytes()).toBeLessThanOrEqual(budget / 4);
    expect(ledger.leftBytes() + timeline.snapshots.bytes).toBeLessThanOrEqual(budget);
  };
  const forkWith = (input: Parameters<typeof machine.enter>[0]) => {
    drain(timeline.seek(at, 1));
    machine.enter(input);
    runToExits(run, 30);
  };
  for (let i = 0; i < 12; i++) {
    forkWith(poke(i));
    expectWithin();
  }
  // A chunk of rows each.
  const numbers = timeline.futures.map(({ number }) => number);
  expect(numbers.length).toBeGreaterThan(4);
  expect(numbers.length).toBeLessThan(10);
  expect([numbers[0], numbers.at(-2), numbers.at(-1)]).toEqual([1, 12, 13]);
  expect(ledger.tableLeft(2)).toBeUndefined();
  // What was written into memory counts too, and makes others go at the next fork: a way into another keeps all.
  const large = { ...poke(0), bytes: new Uint8Array(30 * 2 ** 20).fill(1) };
  forkWith(large);
  const before = timeline.futures;
  drain(timeline.seek(at, 1));
  expect(timeline.futures).toHaveLength(before.length);
  expect(timeline.snapshots.bytes).toBeLessThanOrEqual(budget / 2);
  machine.enter(poke(99));
  expect(timeline.futures.map(({ number }) => number)).toEqual([1, 15]);
  expectWithin();
});

const seed = testSeed();

interface Known {
  readonly end: Instant;
  readonly hash: string;
  readonly rows: ReturnType<typeof rowsOf>;
}

describe(`seed ${seed}`, () => {
  test("among forks of forks each future ends as it did", () => {
    const random = randomBelow(seed);
    const run = recorded(20_000 + random(40_000), (3 + random(60)) * 2 ** 20);
    const { machine, timeline, ledger } = run;
    const known = new Map<number, Known>();
    let forks = 0;
    const note = () => {
      const rows = rowsOf(ledger.table);
      known.set(timeline.future, { end: machine.instant, hash: machine.stateHash(), rows });
    };
    const kept = () => timeline.futures.map(({ number }) => number);
    const runOn = () => {
      for (let pieces = 1 + random(6); pieces > 0; pieces--) {
        timeline.run({ instructions: 1 + random(30_000), idleTicks: random(3) * 500_000 });
      }
    };
    const change = () => {
      const kind = random(3);
      if (kind === 0) machine.enter(poke(random(256), 0x300_0000 + random(8192)));
      else if (kind === 1) {
        machine.enter({ kind: "serial", port: 0, bytes: Uint8Array.of(0x41 + random(26)) });
      } else {
        machine.edit((state) => {
          state.dr0 = BigInt(random(1 << 20));
        });
      }
    };
    runToExits(run, 20);
    note();
    for (let i = 0; i < 40; i++) {
      // A small budget keeps few.
      const numbers = kept();
      const number = numbers[random(numbers.length)] as number;
      const { end, hash, rows } = known.get(number) as Known;
      const what = `step ${i}, future ${number}`;
      if (random(3) === 0) {
        const icount = random(end.icount);
        drain(timeline.seekIcount(icount, number));
        change();
        forks++;
        runOn();
        note();
      } else {
        drain(timeline.seek(end, number));
        expect(machine.stateHash(), what).toBe(hash);
        expect(rowsOf(ledger.table), what).toEqual(rows);
        expect(timeline.isInPast, what).toBe(false);
        if (random(3) > 0) continue;
        if (random(2) > 0) change();
        runOn();
        note();
      }
    }
    expect(forks).toBeGreaterThan(3);
    expect(kept()).toContain(1);
    expect(Math.max(...kept())).toBe(Math.max(...known.keys()));
  });
});
