// Filters and groups of the ledger against the same questions asked row by row.

import { describe, expect, test } from "vitest";
import { exitName, VMCB_FIELDS, type VmcbFieldName } from "../../../emulator/index.ts";
import { type ExitRow, exitRow } from "../../../emulator/time/ledger.ts";
import {
  CHANGED_WORDS,
  CHUNK_ROWS,
  LedgerTable,
  NUMBER_COLUMNS,
  ROW_BYTES,
  UNFINISHED,
  WIDE_COLUMNS,
} from "../../../emulator/time/ledger-columns.ts";
import { exitDensity } from "../../../emulator/time/ledger-density.ts";
import { GROUP_KEYS, type GroupBy, groupRows } from "../../../emulator/time/ledger-groups.ts";
import { type LedgerCondition, selectRows } from "../../../emulator/time/ledger-query.ts";
import { SORT_KEYS, type SortBy, sortRows } from "../../../emulator/time/ledger-sort.ts";
import { randomBelow } from "../../harness/random.ts";

const seed = 77_003;
const FIELDS = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
const CODES = [-1, 0x60, 0x72, 0x7b, 0x7c, 0x400];
const WIDES = [0n, 1n, 0x8000_0000n, 0xffff_ffffn, 1n << 32n, 0xffff_ffff_8100_0000n];

/** Rows of the kinds that runs have: few reasons, some hundred addresses. */
function randomTable(rows: number, random: (below: number) => number): LedgerTable {
  const table = new LedgerTable();
  for (let row = 0; row < rows; row++) {
    table.add();
    const chunk = table.chunkOf(row);
    const at = row % CHUNK_ROWS;
    chunk.code[at] = CODES[random(CODES.length)] as number;
    chunk.guest[at] = random(3);
    chunk.icount[at] = row * 1000 + random(1000);
    chunk.idleTicks[at] = row * 3;
    chunk.events[at] = row * 2;
    chunk.ecx[at] = random(3) === 0 ? 0xc000_0080 + random(4) : 0x10;
    chunk.cost[at] = random(10) === 0 ? UNFINISHED : random(5000);
    for (const name of WIDE_COLUMNS) {
      const near = WIDES[random(WIDES.length)] as bigint;
      chunk[name].values[at] = BigInt.asUintN(64, near + BigInt(random(1000) - 500));
    }
    for (let word = 0; word < CHANGED_WORDS; word++) {
      chunk.changed[at * CHANGED_WORDS + word] = random(0xffff_ffff) & random(0xffff_ffff);
    }
  }
  return table;
}

function randomCondition(random: (below: number) => number): LedgerCondition {
  const subset = <T>(of: readonly T[]): T[] => of.filter(() => random(2) === 0);
  const ends = (below: number) => ({
    ...(random(3) === 0 ? {} : { min: random(below) }),
    ...(random(3) === 0 ? {} : { max: random(below) }),
  });
  switch (random(6)) {
    case 0:
      return { kind: "reason", codes: subset(CODES), not: random(2) === 0 };
    case 1:
      return { kind: "guest", guests: subset([0, 1, 2]) };
    case 2:
      return { kind: "number", ...ends(40_000) };
    case 3: {
      const column = NUMBER_COLUMNS[random(NUMBER_COLUMNS.length)] as "cost";
      return { kind: "range", column, ...ends(column === "cost" ? 5000 : 40_000_000) };
    }
    case 4: {
      const column = WIDE_COLUMNS[random(WIDE_COLUMNS.length)] as "cr3";
      const [a, b] = [WIDES[random(WIDES.length)] as bigint, WIDES[random(WIDES.length)] as bigint];
      return { kind: "wide", column, min: a < b ? a : b, max: a < b ? b : a };
    }
    default:
      return { kind: "changed", field: FIELDS[random(FIELDS.length)] as VmcbFieldName };
  }
}

function between<T extends number | bigint>(value: T, { min, max }: { min?: T; max?: T }): boolean {
  return (min === undefined || value >= min) && (max === undefined || value <= max);
}

function holds(row: ExitRow, condition: LedgerCondition): boolean {
  switch (condition.kind) {
    case "reason":
      return condition.codes.includes(row.code) !== (condition.not ?? false);
    case "guest":
      return condition.guests.includes(row.guest);
    case "number":
      return between(row.number, condition);
    case "range": {
      const { column } = condition;
      if (column === "cost") return row.cost !== undefined && between(row.cost, condition);
      const values = { ...row.at, code: row.code, guest: row.guest, ecx: row.ecx };
      return between(values[column], condition);
    }
    case "wide":
      return between(row[condition.column], condition);
    case "changed":
      return row.changed.includes(condition.field);
  }
}

/** The group of a row, said once more. */
const KEY_OF: Readonly<Record<GroupBy, (row: ExitRow) => bigint | undefined>> = {
  reason: ({ code }) => BigInt(code),
  guest: ({ guest }) => BigInt(guest),
  rip: ({ guestRip }) => guestRip,
  cr3: ({ cr3 }) => cr3,
  port: ({ code, info1 }) => (code === 0x7b ? (info1 >> 16n) & 0xffffn : undefined),
  msr: ({ code, ecx }) => (code === 0x7c ? BigInt(ecx) : undefined),
};

type Key = string | number | bigint;

/** What rows are sorted by, the most significant first. */
const SORTED_BY: Readonly<Record<SortBy, (row: ExitRow) => Key[]>> = {
  number: ({ number }) => [number],
  reason: ({ code }) => [exitName(code)],
  guest: ({ guest }) => [guest],
  icount: ({ at }) => [at.icount],
  cost: ({ cost = UNFINISHED }) => [cost],
  rip: ({ guestRip }) => [guestRip],
  cr3: ({ cr3 }) => [cr3],
  info: ({ info1, info2 }) => [info1, info2],
};

function compare(a: readonly Key[], b: readonly Key[]): number {
  const at = a.findIndex((each, i) => each !== b[i]);
  if (at < 0) return 0;
  return (a[at] as Key) < (b[at] as Key) ? -1 : 1;
}

describe(`seed ${seed}`, () => {
  const random = randomBelow(seed);
  const table = randomTable(CHUNK_ROWS + 5_000, random);
  const rows = Array.from({ length: table.length }, (_, row) => exitRow(table, row));

  test("rows selected are those of which every condition holds", () => {
    let selected = 0;
    for (let i = 0; i < 60; i++) {
      const conditions = Array.from({ length: random(4) }, () => randomCondition(random));
      const expected = rows.filter((row) => conditions.every((c) => holds(row, c)));
      const found = selectRows(table, conditions);
      expect(
        [...found],
        JSON.stringify(conditions, (_, v) => `${v}`),
      ).toEqual(expected.map(({ number }) => number - 1));
      selected += found.length;
    }
    expect(selected).toBeGreaterThan(50_000);
  });

  test.each(GROUP_KEYS)("groups by %s count and sum the same", (by) => {
    const conditions: LedgerCondition[] = [{ kind: "range", column: "cost", max: 4000 }];
    for (const some of [[], conditions]) {
      const groups = groupRows(table, by, some);
      const expected = new Map<bigint, ExitRow[]>();
      for (const row of rows.filter((each) => some.every((c) => holds(each, c)))) {
        const key = KEY_OF[by](row);
        if (key === undefined) continue;
        const members = expected.get(key) ?? [];
        members.push(row);
        expected.set(key, members);
      }
      expect(new Set(groups.map(({ key }) => key))).toEqual(new Set(expected.keys()));
      for (const { key, count, finished, cost } of groups) {
        const members = expected.get(key) ?? [];
        const costs = members.flatMap((row) => row.cost ?? []);
        const sum = costs.reduce((a, b) => a + b, 0);
        expect([count, finished, cost.sum]).toEqual([members.length, costs.length, sum]);
        const extremes = costs.length === 0 ? [0, 0] : [Math.min(...costs), Math.max(...costs)];
        expect([cost.min, cost.max]).toEqual(extremes);
      }
      const counts = groups.map(({ count }) => count);
      expect(counts).toEqual([...counts].sort((a, b) => b - a));
    }
  });
});

describe(`orders and drawings (seed ${seed + 1})`, () => {
  const random = randomBelow(seed + 1);
  const table = randomTable(CHUNK_ROWS + 3_000, random);
  const rows = Array.from({ length: table.length }, (_, row) => exitRow(table, row));

  test.each(SORT_KEYS)("sorted by %s, equals stay as they were", (by) => {
    const some: LedgerCondition[] = [{ kind: "reason", codes: [0x7b, 0x400, -1] }];
    const keys = new Map(rows.map((row) => [row.number - 1, SORTED_BY[by](row)]));
    for (const conditions of [[], some, [{ kind: "reason", codes: [] } as const]]) {
      const selected = selectRows(table, conditions);
      const of = (row: number) => keys.get(row) as Key[];
      const up = [...selected].sort((a, b) => compare(of(a), of(b)));
      expect([...sortRows(table, selected, by)]).toEqual(up);
      const down = [...selected].sort((a, b) => compare(of(b), of(a)));
      expect([...sortRows(table, selected, by, "descending")]).toEqual(down);
    }
  });

  test("a column with more values than are ranked is sorted too", () => {
    const many = new LedgerTable();
    const values = Array.from({ length: 17_000 }, () => {
      const value = (BigInt(random(3)) << 63n) | BigInt(random(2 ** 20) * 0x7001);
      const at = many.add();
      many.chunkOf(at).guestRip.values[at % CHUNK_ROWS] = value;
      return BigInt.asUintN(64, value);
    });
    expect(new Set(values).size).toBeGreaterThan(1 << 14);
    const rows = selectRows(many, []);
    const up = [...rows].sort((a, b) => compare([values[a]!], [values[b]!]) || a - b);
    expect([...sortRows(many, rows, "rip")]).toEqual(up);
  });

  test("costs and instants beyond 32 bits keep their order", () => {
    const large = new LedgerTable();
    const costs = [2 ** 40, UNFINISHED, 5, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 1, 5];
    for (const cost of costs) large.chunkOf(large.add()).cost[large.length - 1] = cost;
    const order = sortRows(large, selectRows(large, []), "cost");
    expect([...order]).toEqual([1, 2, 6, 3, 4, 0, 5]);
  });

  test("pieces of a stretch have each exit of it once", () => {
    for (let i = 0; i < 20; i++) {
      const from = random(rows.length * 500);
      const stretch = { from, to: from + 1 + random(rows.length * 500) };
      const buckets = 1 + random(300);
      const conditions = Array.from({ length: random(3) }, () => randomCondition(random));
      const expected = new Map<number, number[]>();
      for (const row of rows) {
        const { icount } = row.at;
        if (icount < stretch.from || icount > stretch.to) continue;
        if (!conditions.every((condition) => holds(row, condition))) continue;
        const length = stretch.to - stretch.from + 1;
        const bucket = Math.floor((icount - stretch.from) * (buckets / length));
        const counts = expected.get(row.code) ?? new Array<number>(buckets).fill(0);
        counts[bucket] = counts[bucket]! + 1;
        expected.set(row.code, counts);
      }
      const density = exitDensity(table, stretch, buckets, conditions);
      const found = new Map(density.map(({ code, counts }) => [code, [...counts]]));
      expect(found).toEqual(expected);
    }
  });
});

test("a million rows: what questions cost is told, not judged", () => {
  const table = randomTable(1_000_000, randomBelow(seed));
  const questions: readonly [string, () => unknown][] = [
    [
      "NPF of guest 1 over 1000 instructions",
      () =>
        selectRows(table, [
          { kind: "reason", codes: [0x400] },
          { kind: "guest", guests: [1] },
          { kind: "range", column: "cost", min: 1000 },
        ]),
    ],
    [
      "RIP changed, in the kernel",
      () =>
        selectRows(table, [
          { kind: "changed", field: "RIP" },
          { kind: "wide", column: "guestRip", min: 0xffff_ffff_8000_0000n },
        ]),
    ],
    ["by buckets of time", () => exitDensity(table, { from: 0, to: 1e9 }, 500)],
    ...(["cost", "info"] as const).map((by): [string, () => unknown] => {
      const all = selectRows(table, []);
      return [`sorted by ${by}`, () => sortRows(table, all, by)];
    }),
    ...(["reason", "guest", "rip"] as const).map((by): [string, () => unknown] => [
      `grouped by ${by}`,
      () => groupRows(table, by),
    ]),
  ];
  const lines = questions.map(([what, ask]) => {
    const times = Array.from({ length: 3 }, () => {
      const from = performance.now();
      ask();
      return performance.now() - from;
    }).sort((a, b) => a - b);
    return `${what}: ${(times[1] as number).toFixed(1)} ms`;
  });
  console.info(`a million exits at ${ROW_BYTES} bytes: ${lines.join("; ")}`);
  expect(selectRows(table, [])).toHaveLength(1_000_000);
});
