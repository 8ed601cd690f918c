/** Walks over random tables: loops, self-maps, reserved bits and holes, against a walker of a few lines. */

import { expect, test } from "vitest";
import { Machine, type MachineMemory } from "../../emulator/index.ts";
import { Unknown } from "../../invariants/evaluate/value.ts";
import { LEAF, PAGE_TABLES, PageTableWalks, TABLE } from "../../invariants/model/page-tables.ts";
import type { View } from "../../invariants/model/view.ts";
import { TableCache } from "../../invariants/table-cache.ts";
import { contextAtVmrun } from "../../invariants/vmrun-context.ts";
import { randomFraction, testSeed } from "../harness/random.ts";
import { FIRST_TABLE, fill, MODES, type Mode, NXE, PSE, TABLES } from "./random-tables.ts";

const SEED = testSeed();
const ROUNDS = 10_000;
const RAM_BYTES = 1 << 20;
const PAGE = 4096;

interface Found {
  readonly tables: string[];
  readonly leaves: string[];
  isUnreadable: boolean;
}

const field = (from: number, to: number): bigint =>
  ((1n << BigInt(to - from + 1)) - 1n) << BigInt(from);

/** Reserved bits by the figures of section 5.3; physical addresses have 40 bits. */
function reserved({ levels, efer }: Mode, level: number, leaf: boolean): bigint {
  if (levels === 2) return leaf && level === 2 ? field(21, 21) : 0n;
  if (levels === 3 && level === 3) return field(40, 63) | field(5, 8) | field(1, 2);
  const high = levels === 3 ? field(40, 62) : field(40, 51);
  const noExecute = (efer & NXE) === 0n ? field(63, 63) : 0n;
  const low = [0n, 0n, leaf ? field(13, 20) : 0n, leaf ? field(13, 29) : field(8, 8), field(7, 8)];
  return high | noExecute | (low[level] as bigint);
}

/** By the manual, an entry at a time, with BigInts: every table once for each level, its leaves before what lies below it. */
function walkSimply(memory: MachineMemory, mode: Mode, root: number): Found {
  const { levels, cr4 } = mode;
  const bytes = levels === 2 ? 4 : 8;
  const found: Found = { tables: [], leaves: [], isUnreadable: false };
  const seen = new Set<string>();
  const visit = (level: number, table: number, base: bigint): void => {
    const key = `${level}:${table.toString(16)}`;
    if (seen.has(key)) return;
    seen.add(key);
    found.tables.push(key);
    if (table >= RAM_BYTES) {
      found.isUnreadable = true;
      return;
    }
    const count = levels === 3 && level === 3 ? 4 : PAGE / bytes;
    const size = 1n << BigInt(12 + (levels === 2 ? 10 : 9) * (level - 1));
    const data = new DataView(memory.peek(table, count * bytes).slice().buffer);
    const below: (() => void)[] = [];
    for (let i = 0; i < count; i++) {
      const entry =
        bytes === 4 ? BigInt(data.getUint32(4 * i, true)) : data.getBigUint64(8 * i, true);
      if ((entry & 1n) === 0n) continue;
      const hasSize =
        levels === 2
          ? (cr4 & PSE) !== 0n && level === 2
          : level === 2 || (level === 3 && levels === 4);
      const leaf = level === 1 || (hasSize && (entry & 0x80n) !== 0n);
      if ((entry & reserved(mode, level, leaf)) !== 0n) continue;
      const gpa = base + BigInt(i) * size;
      if (!leaf) below.push(() => visit(level - 1, Number(entry & field(12, 39)), gpa));
      else {
        const isPse36 = levels === 2 && level === 2;
        const hpa = isPse36
          ? (entry & field(22, 31)) | (((entry >> 13n) & 0xffn) << 32n)
          : entry & field(12, 39) & ~(size - 1n);
        found.leaves.push(`${gpa.toString(16)}->${hpa.toString(16)}+${size.toString(16)}`);
      }
    }
    for (const go of below) go();
  };
  visit(levels, root, 0n);
  return found;
}

const hex = (value: unknown): string => (value as bigint).toString(16);

/** What the language gives: the collections of a walk, their unknown elements left out. */
function walkWithModel(walks: PageTableWalks, view: View, root: number): Found {
  const { context } = view;
  if (context instanceof Unknown) throw new Error("there is a VMRUN");
  const walk = walks.host(context, BigInt(root));
  if (walk instanceof Unknown) throw new Error(walk.reason);
  const elements = (name: string) => {
    const list = PAGE_TABLES.fields.get(name)?.read(walk, view);
    if (typeof list !== "object" || !("elements" in list)) throw new Error(`${name} is no list`);
    return list.elements;
  };
  const known = (name: string) =>
    elements(name).flatMap((each) => (typeof each === "object" && "of" in each ? [each.of] : []));
  const read = (record: typeof LEAF | typeof TABLE, name: string, of: unknown) =>
    hex(record.fields.get(name)?.read(of, view));
  return {
    tables: known("tables").map((of) => `${read(TABLE, "level", of)}:${read(TABLE, "hpa", of)}`),
    leaves: known("leaves").map(
      (of) => `${read(LEAF, "gpa", of)}->${read(LEAF, "hpa", of)}+${read(LEAF, "size", of)}`,
    ),
    isUnreadable: elements("leaves").some((each) => each instanceof Unknown),
  };
}

test.each(MODES)("$name: the walk's tables and leaves are the simple walker's", (mode) => {
  const draw = randomFraction(SEED);
  const next = (): number => Math.floor(draw() * 2 ** 32);
  const machine = new Machine({ ramBytes: RAM_BYTES });
  const { memory } = machine;
  const cache = new TableCache(memory);
  const walks = new PageTableWalks(cache);
  machine.observe({
    name: "walks",
    on: {
      poke: ({ address }) => {
        cache.replaced(address);
        return undefined;
      },
    },
  });
  const registers = { cr0: 0x8001_0031n, cr4: mode.cr4, efer: mode.efer };
  const view = { context: { ...contextAtVmrun(machine, 0), ...registers } } as View;
  let loops = 0;
  let holes = 0;
  for (let round = 0; round < ROUNDS / MODES.length; round++) {
    fill(memory, mode, next);
    const root = FIRST_TABLE + (next() % TABLES) * PAGE;
    const wanted = walkSimply(memory, mode, root);
    expect(walkWithModel(walks, view, root), `seed ${SEED}, round ${round}`).toEqual(wanted);
    const places = wanted.tables.map((table) => table.slice(2));
    if (new Set(places).size < places.length) loops++;
    if (wanted.isUnreadable) holes++;
  }
  expect(loops).toBeGreaterThan(50);
  expect(holes).toBeGreaterThan(50);
});
