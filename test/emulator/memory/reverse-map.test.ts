/** The reverse map against brute force over the forward translation, and its bounds. */

import { describe, expect, it } from "vitest";
import { DebugMemory, type Worlds } from "../../../emulator/memory/address-space.ts";
import { PagingMode, pagingMode } from "../../../emulator/memory/paging-bits.ts";
import { ReverseMap, type ReverseMappings } from "../../../emulator/memory/reverse-map.ts";
import {
  currentPaging,
  type NestedContext,
  type PagingContext,
} from "../../../emulator/memory/translate.ts";
import { type RandomFraction, randomFraction, testSeed } from "../../harness/random.ts";
import * as f from "./fixture.ts";
import { buildWorld, OWN_POOL, POOL_PAGES } from "./random-tables.ts";

const LIMITS = { mappings: 1_000_000, tables: 10_000 };

/** Leaves the same `keep` entries in each table, and says which: brute force tries only these. */
function thin(ram: DataView, next: RandomFraction, entry: 4 | 8, keep: number): number[] {
  // PDPTEs of legacy PAE are the first four of a page.
  const kept = new Set([0, 1, 2, 3]);
  while (kept.size < keep) kept.add(Math.floor((next() * 4096) / entry));
  for (let page = 0; page < POOL_PAGES; page++) {
    for (let i = 0; i < 4096 / entry; i++) {
      if (kept.has(i)) continue;
      for (let b = 0; b < entry; b++) ram.setUint8(OWN_POOL + page * 4096 + i * entry + b, 0);
    }
  }
  return [...kept].sort((a, b) => a - b);
}

const modeOf = ({ cr0, cr4, efer }: { cr0: bigint; cr4: bigint; efer: bigint }) => {
  const low = (value: bigint) => Number(BigInt.asIntN(32, value));
  return pagingMode(low(cr0), low(cr4), low(efer));
};

/** Every 4 KiB page whose indices at all levels are among `indices`, and pages inside large ones. */
function* candidates(mode: PagingMode, indices: readonly number[]): Generator<bigint> {
  if (mode === PagingMode.none) {
    for (let at = 0n; at < 0x40_0000n; at += 0x1000n) yield at;
    return;
  }
  if (mode === PagingMode.legacy) {
    for (const high of indices) {
      for (let low = 0; low < 1024; low++) yield BigInt(high * 1024 + low) << 12n;
    }
    return;
  }
  const tops = mode === PagingMode.pae ? [0] : indices;
  const thirds = mode === PagingMode.pae ? [0, 1, 2, 3] : indices;
  for (const top of tops) {
    for (const third of thirds) {
      for (const second of indices) {
        for (const first of indices) {
          const page =
            ((BigInt(top * 512 + third) * 512n + BigInt(second)) * 512n + BigInt(first)) << 12n;
          yield mode === PagingMode.long ? BigInt.asUintN(64, BigInt.asIntN(48, page)) : page;
        }
      }
    }
  }
}

/** Guest-physical pages: the lower half as it is, the upper half shuffled, all once more at 16 MiB. */
function shuffledNested(fixture: f.Fixture, next: RandomFraction): NestedContext {
  const tables = new f.Tables(fixture.ram, 0x3_0000);
  for (let page = 0n; page < 1024n; page++) {
    const moved = page < 512n ? page : 512n + ((page * 37n + 11n) % 512n);
    const bits = f.P | f.U | (next() < 0.5 ? f.W : 0n);
    if (next() < 0.97) tables.map(page << 12n, moved << 12n, bits);
    if (next() < 0.5) tables.map((page + 4096n) << 12n, moved << 12n, bits);
  }
  tables.map(0x4000_0000n, 0x20_0000n, f.P | f.U, 2);
  const host = { cr0: f.CR0_PG | 1n, cr4: f.CR4_PAE, efer: f.EFER_LMA | f.EFER_NXE };
  return { ...host, nestedCr3: tables.root };
}

interface Case {
  readonly kind: "gva" | "gpa";
  readonly paging: PagingContext;
  readonly worlds: Worlds;
  readonly indices: readonly number[];
  readonly seed: number;
}

/** Targets for the map: the byte, or where the nested tables have it. */
function mappingsOf(reverse: ReverseMap, { kind, worlds }: Case, byte: number): ReverseMappings {
  const { guest } = worlds;
  if (guest === undefined) throw new Error("no guest");
  if (kind === "gpa") return reverse.guestPhysical(byte, guest.nested as NestedContext);
  if (guest.nested === undefined) return reverse.linear([byte], guest.paging);
  const between = reverse.guestPhysical(byte, guest.nested).mappings;
  return reverse.linear(
    between.map((each) => Number(each.address)),
    guest.paging,
    guest.nested,
  );
}

/** For bytes that are reached and some at random; returns how many mappings there were. */
function compare(fixture: f.Fixture, tested: Case): number {
  const { kind, paging, worlds, indices, seed } = tested;
  const next = randomFraction(seed + 1);
  const debug = new DebugMemory(fixture.physical);
  const reverse = new ReverseMap(fixture.physical, LIMITS);
  const reached = new Map<number, bigint[]>();
  for (const address of candidates(modeOf(paging), indices)) {
    const plain = kind === "gpa" ? BigInt.asUintN(48, address) : address;
    const page = debug.translate({ kind }, plain, worlds);
    if (page.kind !== "page") continue;
    const list = reached.get(page.physical) ?? [];
    list.push(plain);
    reached.set(page.physical, list);
  }
  const frames = [...reached.keys()];
  let found = 0;
  for (let i = 0; i < 16; i++) {
    const known = frames[Math.floor(next() * frames.length)] ?? 0;
    const byte = (i < 12 ? known : Math.floor(next() * 1024) << 12) + 0x123;
    const where = `seed ${seed}, hpa ${byte.toString(16)}`;
    const result = mappingsOf(reverse, tested, byte);
    expect({ where, stoppedBy: result.stoppedBy }).toEqual({ where, stoppedBy: undefined });
    const all = new Set(result.mappings.map(({ address }) => address));
    expect(all.size, where).toBe(result.mappings.length);
    for (const at of reached.get(byte - 0x123) ?? []) {
      expect(all.has(at + 0x123n), `${where} from ${at.toString(16)}`).toBe(true);
    }
    for (const { address, pageSize, rights } of result.mappings.slice(0, 500)) {
      const page = debug.translate({ kind }, address, worlds);
      const sameStage = { pageSize, rights };
      expect({ where, page }).toMatchObject({ where, page: { physical: byte, ...sameStage } });
    }
    found += all.size;
  }
  return found;
}

describe("the reverse map agrees with brute force", () => {
  const seed = testSeed(30_000);
  const fixture = f.makeFixture();
  for (const own of ["none", "legacy", "pae", "long"] as const) {
    for (const over of ["alone", "over nested tables", "as nested tables"] as const) {
      if (own === "none" && over === "as nested tables") continue;
      it(`${own} paging ${over} (seed ${seed})`, () => {
        let found = 0;
        for (let i = 0; i < 3; i++) {
          const next = randomFraction(seed + i);
          buildWorld(fixture, { own, nested: undefined, seed: seed + i }, next);
          const keep = own === "long" ? 8 : 24;
          const indices =
            own === "none" ? [] : thin(fixture.ram, next, own === "legacy" ? 4 : 8, keep);
          const paging = currentPaging(fixture.state);
          const { cr0, cr3, cr4, efer } = paging;
          const nested =
            over === "alone"
              ? undefined
              : over === "over nested tables"
                ? shuffledNested(fixture, next)
                : { cr0, cr4, efer, nestedCr3: cr3 };
          const guest = nested === undefined ? { paging } : { paging, nested };
          const kind = over === "as nested tables" ? "gpa" : "gva";
          const worlds = { host: paging, guest };
          found += compare(fixture, { kind, paging, worlds, indices, seed: seed + i });
        }
        expect(found).toBeGreaterThan(30);
      });
    }
  }
});

describe("the reverse map's cost is bounded", () => {
  it("tables that map themselves are read once a level", () => {
    const x = f.makeFixture();
    for (let i = 0; i < 512; i++)
      x.ram.setBigUint64(0x5000 + i * 8, 0x5000n | f.P | f.W | f.U, true);
    f.enterLongMode(x, 0x5000n);
    const reverse = new ReverseMap(x.physical, { mappings: 1000, tables: 100 });
    const result = reverse.linear([0x5008], currentPaging(x.state));
    expect(result).toMatchObject({ stoppedBy: "mappings", tables: 4 });
    expect(result.mappings.length).toBe(1000);
    expect(reverse.linear([0x9000], currentPaging(x.state))).toEqual({
      mappings: [],
      stoppedBy: undefined,
      tables: 4,
    });
  });

  it("garbage as tables ends at the limit", () => {
    const x = f.makeFixture();
    const next = randomFraction(7);
    for (let at = 0; at < x.ram.byteLength; at += 4) {
      x.ram.setUint32(at, at % 8 === 0 ? Math.floor(next() * 2 ** 22) | 7 : 0, true);
    }
    f.enterLongMode(x, 0n);
    const reverse = new ReverseMap(x.physical, { mappings: 10, tables: 50 });
    expect(reverse.linear([0x3f_f000_0000], currentPaging(x.state))).toEqual({
      mappings: [],
      stoppedBy: "tables",
      tables: 50,
    });
  });
});
