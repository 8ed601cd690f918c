// The exit ledger against what other observers saw of the same run, and against itself in the past.

import { expect, test } from "vitest";
import {
  Guests,
  type Instant,
  loadKernel,
  Machine,
  Timeline,
  VMCB_FIELDS,
  type VmcbFieldName,
  VmcbView,
} from "../../../emulator/index.ts";
import { ExitLedger, type ExitRow, exitRow } from "../../../emulator/time/ledger.ts";
import { randomBelow } from "../../harness/random.ts";
import { buildImage, ENABLE_SVM, multibootSource } from "../loader/build-image.ts";
import { drain, sampleMachine } from "./sample-run.ts";

const FIELDS = Object.keys(VMCB_FIELDS) as VmcbFieldName[];

const rowsOf = (ledger: ExitLedger): ExitRow[] =>
  Array.from({ length: ledger.length }, (_, row) => exitRow(ledger.table, row));

function ledgerOf(machine: Machine): ExitLedger {
  return new ExitLedger(machine, new Guests(machine));
}

function runToEnd(machine: Machine): void {
  for (;;) {
    const { reason } = machine.run({ instructions: 1_000_000 });
    if (reason !== "budget" && reason !== "idle" && reason !== "observer") return;
  }
}

/** The values of all fields of a VMCB, as text. */
function fieldsOf(machine: Machine, vmcb: number): Map<VmcbFieldName, string> {
  const view = new VmcbView(machine.memory, vmcb);
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}n` : part));
  return new Map(FIELDS.map((name) => [name, text(view.read(name))]));
}

/** What other observers see: the exit's own words, VMCBs field by field, retired instructions counted. */
function watch(machine: Machine): Omit<ExitRow, "at" | "guest">[] {
  const seen: Omit<ExitRow, "at" | "guest">[] = [];
  let inHost: { retired: number; vmcb: number; left: Map<VmcbFieldName, string> } | undefined;
  machine.observe({
    name: "independent",
    on: {
      retire: () => {
        if (inHost !== undefined) inHost.retired++;
        return undefined;
      },
      exit: ({ number, code, info1, info2, guestRip, vmcb }) => {
        const cr3 = new VmcbView(machine.memory, vmcb).read("CR3");
        const words = { number, code: Number(BigInt.asIntN(64, code)), info1, info2, guestRip };
        const ecx = Number(machine.state.rcx & 0xffff_ffffn);
        seen.push({ ...words, cr3, ecx, cost: undefined, changed: [] });
        inHost = { retired: 0, vmcb, left: fieldsOf(machine, vmcb) };
        return undefined;
      },
      vmrunStart: () => {
        const last = seen.at(-1);
        if (inHost === undefined || last === undefined) return undefined;
        const { retired: cost, left, vmcb } = inHost;
        const now = fieldsOf(machine, vmcb);
        const changed = FIELDS.filter((name) => left.get(name) !== now.get(name));
        seen[seen.length - 1] = { ...last, cost, changed };
        inHost = undefined;
        return undefined;
      },
    },
  });
  return seen;
}

const withoutPlace = ({ at: _at, guest: _guest, ...rest }: ExitRow) => rest;

test("every exit of a run, with its cost and the fields that its handler changed", () => {
  const machine = sampleMachine();
  const ledger = ledgerOf(machine);
  const seen = watch(machine);
  runToEnd(machine);
  expect(seen.length).toBeGreaterThan(100);
  expect(rowsOf(ledger).map(withoutPlace)).toEqual(seen);
  expect(rowsOf(ledger).filter(({ guest }) => guest !== 1)).toEqual([]);
  expect(rowsOf(ledger).filter(({ changed }) => changed.includes("RIP")).length).toBeGreaterThan(
    50,
  );
});

test("a row's instant is the one at which a stop at its exit stops", () => {
  const machine = sampleMachine();
  const ledger = ledgerOf(machine);
  machine.observe({ name: "stopper", on: { exit: () => "stop" } });
  const stops: Instant[] = [];
  for (;;) {
    const { reason } = machine.run({ instructions: 10_000_000 });
    if (reason === "observer") stops.push(machine.instant);
    else if (reason !== "idle") break;
  }
  expect(rowsOf(ledger).map(({ at }) => at)).toEqual(stops);
});

const seed = 20_261;

test(`in the past the ledger is as it was, and comes again equal (seed ${seed})`, () => {
  const random = randomBelow(seed);
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const options = { followers: [guests, ledger], interval: 7_001, denseInterval: 3_001 };
  const timeline = new Timeline(machine, options);
  const past: { at: Instant; rows: ExitRow[] }[] = [];
  for (;;) {
    const { reason } = timeline.run({ instructions: 1 + random(4_000) });
    past.push({ at: machine.instant, rows: rowsOf(ledger).slice(-3) });
    if (reason !== "budget" && reason !== "idle") break;
  }
  const end = machine.instant;
  const all = rowsOf(ledger);
  for (let i = 0; i < 60; i++) {
    const { at, rows } = past[random(past.length)] as (typeof past)[number];
    drain(timeline.seek(at));
    expect(ledger.length).toBe(machine.state.exitCount);
    expect(rowsOf(ledger).slice(-3)).toEqual(rows);
  }
  drain(timeline.seek(end));
  expect(rowsOf(ledger)).toEqual(all);
});

test("a change of the past drops the exits that came after it", () => {
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { followers: [guests, ledger] });
  const reset = machine.instant;
  while (ledger.length < 4) timeline.run({ instructions: 1_000 });
  const { at } = exitRow(ledger.table, 1);
  drain(timeline.seek(at));
  expect(ledger.table.extent).toBeGreaterThanOrEqual(4);
  timeline.mayFork = true;
  timeline.enter({ kind: "memory", address: 0x5000, bytes: Uint8Array.of(1) });
  expect(ledger.table.extent).toBe(2);
  // Going on and back again, the row that was open at the fork has the ending of its new future.
  while (ledger.length < 4) timeline.run({ instructions: 1_000 });
  const all = rowsOf(ledger);
  const end = machine.instant;
  for (const to of [at, reset, end]) drain(timeline.seek(to));
  expect(rowsOf(ledger)).toEqual(all);
});

/** Starts a VMCB of zeros, which no consistency check lets pass, three times. */
const INVALID_VMRUNS = `
  ${ENABLE_SVM}
  mov $3, %ebx
again:
  mov $0x300000, %eax
  movl $5, 0x300058
  .byte 0x0f, 0x01, 0xd8
  movl %ebx, 0x300058
  dec %ebx
  jnz again
  mov $0x31, %al
  out %al, $0xf4
  hlt`;

test("a VMRUN that fails is an exit of no guest, and no instruction of its handler", () => {
  const ramBytes = 8 * 2 ** 20;
  const machine = new Machine({ ramBytes });
  const kernel = {
    name: "invalid.elf",
    bytes: buildImage(multibootSource(3, "", INVALID_VMRUNS)),
  };
  machine.load(loadKernel({ kernel, ramBytes }));
  const ledger = ledgerOf(machine);
  const stops: Instant[] = [];
  machine.observe({ name: "stopper", on: { exit: () => "stop" } });
  for (;;) {
    const { reason } = machine.run({ instructions: 1_000 });
    if (reason !== "observer") break;
    stops.push(machine.instant);
  }
  const rows = rowsOf(ledger);
  expect(rows.map(({ code, guest, cost }) => ({ code, guest, cost }))).toEqual([
    // The five instructions from the store to the one before the next VMRUN.
    { code: -1, guest: 0, cost: 5 },
    { code: -1, guest: 0, cost: 5 },
    { code: -1, guest: 0, cost: undefined },
  ]);
  // The host stores 3, then 2, then 5 again before VMRUN: the ASID is as the exit left it.
  expect(rows.map(({ changed }) => changed)).toEqual([[], [], []]);
  expect(rows.map(({ at }) => at)).toEqual(stops);
});
