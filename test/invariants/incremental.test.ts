/** Random tables under random writes: incremental checks equal full ones, tables equal the walker's. */

import { expect, test } from "vitest";
import { type Machine, Translator } from "../../emulator/index.ts";
import type { InvariantStatus } from "../../invariants/index.ts";
import { TableCache } from "../../invariants/table-cache.ts";
import { EntryKind, hostFormat, spanOf } from "../../invariants/table-format.ts";
import { tablesFrom } from "../../invariants/table-tree.ts";
import { type RandomFraction, randomFraction } from "../harness/random.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm, FIRST_THREE } from "./svm.ts";

const SEED = 20_111;
const STEPS = 400;
/** Where random tables lie: half of them inside the image, half elsewhere. */
const POOL = [small.PML4, small.PDPT, small.PD, 0x10_8000].flatMap((inside, i) => [
  inside,
  small.ELSEWHERE + i * 0x1000,
]);
const pick = <T>(next: RandomFraction, from: readonly T[]): T =>
  from[Math.floor(next() * from.length)] as T;

/** Table or leaf, aligned or with a reserved bit, onto the pool, the image's place or free RAM. */
function randomEntry(next: RandomFraction, wide: boolean): bigint {
  const kind = next();
  if (kind < 0.2) return 0n;
  const status = next() < 0.5 ? 0x60n : 0n;
  if (kind < 0.55) return BigInt(pick(next, POOL)) | small.TABLE | (status & 0x20n);
  const target = BigInt(Math.floor(next() * (next() < 0.3 ? 2 : 8))) * 0x20_0000n;
  const noise = next() < 0.1 ? 1n << BigInt(Math.floor(next() * (wide ? 64 : 32))) : 0n;
  return (target | small.LEAF | status) ^ noise;
}

function scribble(machine: Machine, next: RandomFraction): void {
  const { memory } = machine;
  const at = pick(next, POOL) + 8 * Math.floor(next() * (next() < 0.7 ? 4 : 512));
  const value = randomEntry(next, true);
  const how = next();
  if (how < 0.5) memory.write(at, 8, value);
  else if (how < 0.6) memory.write(at, 4, value & 0xffff_ffffn);
  else if (how < 0.7) memory.write(at + 1, 8, value);
  else if (how < 0.8) memory.setEntryBits(at, 0x60);
  else small.setEntry(machine, at, value);
}

/** Moves what hv.memory is derived from, or what the VMCB says. */
function changeHost(machine: Machine, next: RandomFraction): void {
  const { state } = machine;
  const place = pick(next, [small.IMAGE.first, 0x40_0000, 0x60_0000, 0xa0_0000]);
  const vmcb = small.vmcbOf(machine);
  const how = next();
  if (how < 0.3) state.rsp = BigInt(place + 0x800);
  else if (how < 0.6) state.vmHsavePa = BigInt(place + 0x2000);
  else if (how < 0.7) vmcb.write("GUEST_ASID", next() < 0.5 ? 0 : 1);
  else if (how < 0.8) vmcb.write("NP_ENABLE", next() < 0.2 ? 0n : 1n);
  else if (how < 0.9) vmcb.write("nCR3", BigInt(pick(next, POOL)));
  else vmcb.write("INTERCEPT_MISC1", next() < 0.5 ? 0 : 1 << 27);
}

function checker(machine: Machine) {
  const attached = attachSvm(machine, { invariants: FIRST_THREE });
  /** What is known after a VMRUN, and what was reported at it. */
  const outcome = () => {
    const states = attached
      .status()
      .map(({ name, state, reason }: InvariantStatus) => ({ name, state, reason }));
    // When it last held only who has checked before can know.
    const found = attached.violations.splice(0);
    return { states, reported: found.map(({ lastGood: _, ...violation }) => violation) };
  };
  return { ...attached, outcome };
}

function testSteps(machine: Machine, next: RandomFraction): { evaluations: number; scans: number } {
  const incremental = checker(machine);
  const { icount } = machine;
  let scans = 0;
  let violated: ReadonlySet<string> = new Set();
  for (let step = 0; step < STEPS; step++) {
    for (let i = Math.floor(next() * 3); i > 0; i--) scribble(machine, next);
    if (next() < 0.2) changeHost(machine, next);
    const full = checker(machine);
    machine.observers.emit("vmrunStart", { vmcb: small.VMCB, rip: 0n });
    expect(machine.icount).toBe(icount);
    const expected = full.outcome();
    const found = incremental.outcome();
    expect(found.states, `step ${step}`).toEqual(expected.states);
    // Told again only where it turned false.
    const isNew = ({ invariant }: { readonly invariant: string }) => !violated.has(invariant);
    expect(found.reported, `step ${step}`).toEqual(expected.reported.filter(isNew));
    violated = new Set(expected.reported.map(({ invariant }) => invariant));
    scans += full.counters().tableScans;
    full.detach();
  }
  const { evaluations, tableScans } = incremental.counters();
  expect(tableScans).toBeLessThan(scans);
  return { evaluations, scans };
}

test.each([
  ["4-level", small.smallHypervisor],
  ["legacy PAE", small.smallPaeHypervisor],
])(`%s: incremental equals full (seed ${SEED})`, (_mode, make) => {
  let evaluations = 0;
  for (let run = 0; run < 5; run++) {
    const next = randomFraction(SEED + run);
    evaluations += testSteps(make(), next).evaluations;
  }
  expect(evaluations).toBeLessThan(3 * 5 * STEPS);
  expect(evaluations).toBeGreaterThan(STEPS);
});

const MODES = {
  "4-level": { cr0: 1n << 31n, cr4: 0x20n, efer: 0xd00n },
  "4-level without NX": { cr0: 1n << 31n, cr4: 0x20n, efer: 0x500n },
  "legacy PAE": { cr0: 1n << 31n, cr4: 0x20n, efer: 0x800n },
  "32-bit with PSE": { cr0: 1n << 31n, cr4: 0x10n, efer: 0n },
  "32-bit": { cr0: 1n << 31n, cr4: 0n, efer: 0n },
} as const;

/** Fills the pool's tables so that many entries lead somewhere. */
function fillTables(machine: Machine, next: RandomFraction, entryBytes: 4 | 8): void {
  for (const table of POOL) {
    for (let at = 0; at < 4096; at += entryBytes) {
      const value = randomEntry(next, entryBytes === 8);
      machine.memory.write(table + at, entryBytes, BigInt.asUintN(8 * entryBytes, value));
    }
  }
}

test.each(Object.entries(MODES))(`%s: leaves are those of the walker (seed ${SEED})`, (_, mode) => {
  for (let run = 0; run < 10; run++) {
    const next = randomFraction(SEED + run);
    const machine = small.smallHypervisor();
    const format = hostFormat(mode);
    if (format === undefined) throw new Error("no paging");
    fillTables(machine, next, format.entryBytes);
    const nestedCr3 = BigInt(small.PML4);
    const translator = new Translator(machine.memory);
    const walk = (gpa: number) =>
      translator.guestPhysical(BigInt(gpa), { ...mode, nestedCr3 }, undefined);
    const visits = tablesFrom(new TableCache(machine.memory), format, nestedCr3);
    for (const { table, base } of visits) {
      const bytes = spanOf(format, table.level);
      for (let i = 0; i < table.kinds.length; i += 1 + Math.floor(next() * 8)) {
        if (table.kinds[i] !== EntryKind.leaf) continue;
        const page = walk(base + i * bytes);
        expect(page).toMatchObject({ kind: "page", physical: table.targets[i], pageSize: bytes });
      }
    }
    const seen = new Set(visits.map(({ table }) => `${table.level}:${table.address}`));
    const limit = format.mode === 4 ? 2 ** 48 : 2 ** 32;
    for (let i = 0; i < 300; i++) {
      const page = walk(Math.floor(next() * limit));
      page.levels.forEach(({ address }, depth) => {
        const level = format.mode - depth;
        const start = format.mode === 3 && level === 3 ? small.PML4 : address - (address % 4096);
        expect(seen).toContain(`${level}:${start}`);
      });
    }
  }
});
