/** The architectural TLB: stale entries, invalidation, ASIDs, and what must not change it. */

import { beforeEach, describe, expect, it } from "vitest";
import { PageReason } from "../../../emulator/state/memory-map.ts";
import { randomFraction } from "../../harness/random.ts";
import * as f from "./fixture.ts";

const ALL = f.P | f.W | f.U;
const PAGE_A = 0x30_0000n;
const PAGE_B = 0x30_1000n;
const LINEAR = 0x40_0000n;

describe("stale translations", () => {
  let x: f.Fixture;
  let tables: f.Tables;
  let entry: number;

  beforeEach(() => {
    x = f.makeFixture();
    tables = new f.Tables(x.ram, 0x10_0000);
    entry = tables.map(LINEAR, PAGE_A, ALL);
    f.enterLongMode(x, tables.root);
    x.ram.setUint8(Number(PAGE_A), 0xa);
    x.ram.setUint8(Number(PAGE_B), 0xb);
  });

  it.each([
    ["as generated code reads", () => {}],
    ["after the fast tags were dropped", () => x.mmu.dropFastTags()],
    ["after a debugger read", () => x.physical.peek(0, 0x40_0000)],
    [
      "after the page became watched",
      () => x.physical.addReason(Number(PAGE_A), PageReason.watchRead),
    ],
    ["after a snapshot", () => x.physical.addReasonToAll(PageReason.clean)],
    ["after a restore", () => x.mmu.restored()],
  ])("an edited entry keeps its old translation until INVLPG, %s", (_, between) => {
    expect(f.load(x, LINEAR)).toBe(0xa);
    x.ram.setBigUint64(entry, PAGE_B | ALL, true);
    between();
    expect(f.load(x, LINEAR)).toBe(0xa);
    x.mmu.flushPage(LINEAR + 0x123n, 0);
    expect(f.load(x, LINEAR)).toBe(0xb);
  });

  it("a write through an entry whose D is not set walks again", () => {
    f.load(x, LINEAR);
    expect(f.fastHit(x, LINEAR, 1, true)).toBe(false);
    x.ram.setBigUint64(entry, PAGE_B | ALL, true);
    f.store(x, LINEAR, 0x55);
    expect(x.ram.getUint8(Number(PAGE_A))).toBe(0xa);
    expect(x.ram.getUint8(Number(PAGE_B))).toBe(0x55);
    expect(x.ram.getBigUint64(entry, true) & (f.A | f.D)).toBe(f.A | f.D);
    expect(f.fastHit(x, LINEAR, 1, true)).toBe(true);
  });

  it("a right that the entry lacks is looked up again before it faults", () => {
    x.ram.setBigUint64(entry, PAGE_A | f.P | f.U | f.D, true);
    f.load(x, LINEAR);
    expect(f.thrown(() => f.store(x, LINEAR, 1))).toMatchObject({ exception: "PF", errorCode: 3 });
    x.ram.setBigUint64(entry, PAGE_A | ALL, true);
    f.store(x, LINEAR, 1);
    expect(x.ram.getUint8(Number(PAGE_A))).toBe(1);
  });

  it("an entry evicted by an access of another kind is gone for generated code too", () => {
    const rival = f.rivalOf(LINEAR);
    tables.map(rival, PAGE_B, ALL);
    f.load(x, LINEAR);
    x.mmu.read(rival, 1);
    x.ram.setBigUint64(entry, PAGE_B | ALL, true);
    expect(f.load(x, LINEAR)).toBe(0xb);
  });

  it("both ends of a copy between blocks 4 MiB apart have entries", () => {
    const far = LINEAR + 0x80_0000n;
    tables.map(far, PAGE_B, ALL);
    f.load(x, LINEAR);
    f.store(x, far, 1);
    const { walks } = x.mmu.counters;
    f.load(x, LINEAR);
    f.store(x, far, 2);
    expect(x.mmu.counters.walks).toBe(walks);
  });

  it("CR0.WP decides at each write, also through old fast tags", () => {
    x.ram.setBigUint64(entry, PAGE_A | f.P, true);
    x.state.cr0 &= ~f.CR0_WP;
    x.mmu.selectBank();
    f.store(x, LINEAR, 1);
    expect(f.fastHit(x, LINEAR, 1, true)).toBe(true);
    x.state.cr0 |= f.CR0_WP;
    x.mmu.selectBank();
    expect(f.thrown(() => f.store(x, LINEAR, 2))).toMatchObject({ exception: "PF", errorCode: 3 });
    expect(f.load(x, LINEAR)).toBe(1);
  });

  it("supervisor entries never serve user accesses", () => {
    x.ram.setBigUint64(entry, PAGE_A | f.P | f.W, true);
    f.load(x, LINEAR);
    x.state.cpl = 3;
    x.mmu.selectBank();
    expect(f.fastHit(x, LINEAR, 1, false)).toBe(false);
    expect(f.thrown(() => f.load(x, LINEAR))).toMatchObject({ exception: "PF", errorCode: 5 });
    expect(x.mmu.read(LINEAR, 1, "system")).toBe(0xan);
  });

  it("instruction entries are stale in the same way, and apart from data entries", () => {
    expect(x.mmu.translateFetch(LINEAR + 5n)).toBe(Number(PAGE_A) + 5);
    x.ram.setBigUint64(entry, PAGE_B | ALL, true);
    expect(x.mmu.translateFetch(LINEAR)).toBe(Number(PAGE_A));
    expect(f.load(x, LINEAR)).toBe(0xb);
    x.mmu.flushPage(LINEAR, 0);
    expect(x.mmu.translateFetch(LINEAR)).toBe(Number(PAGE_B));
  });
});

describe("invalidation", () => {
  let x: f.Fixture;
  let tables: f.Tables;

  beforeEach(() => {
    x = f.makeFixture();
    tables = new f.Tables(x.ram, 0x10_0000);
    f.enterLongMode(x, tables.root);
  });
  const present = () => [...x.mmu.tlb.entries()].map((e) => e.linear);

  it("INVLPG removes every piece of a large page, of both kinds and privileges", () => {
    tables.map(0x20_0000n, 0x20_0000n, ALL, 2);
    tables.map(0x4000_0000n, 0n, ALL, 3);
    tables.map(0x1000n, 0x1000n, ALL);
    for (let at = 0x20_0000n; at < 0x40_0000n; at += 0x1f000n) x.mmu.read(at, 1);
    x.mmu.translateFetch(0x2f_f000n);
    x.state.cpl = 3;
    x.mmu.read(0x20_7000n, 1);
    x.mmu.read(0x1000n, 1);
    x.mmu.read(0x4010_0000n, 1);
    x.mmu.flushPage(0x3f_ffffn, 0);
    expect(present().sort()).toEqual([0x1000n, 0x4010_0000n].sort());
    x.mmu.flushPage(0x7fff_ffffn, 0);
    expect(present()).toEqual([0x1000n]);
  });

  it("MOV CR3 keeps global entries, INVLPG does not", () => {
    tables.map(0x1000n, 0x1000n, ALL | f.G);
    tables.map(0x2000n, 0x2000n, ALL);
    x.mmu.read(0x1000n, 1);
    x.mmu.read(0x2000n, 1);
    x.mmu.flushNonGlobal();
    expect(present()).toEqual([0x1000n]);
    x.mmu.flushPage(0x1000n, 0);
    expect(present()).toEqual([]);
    x.state.cr4 &= ~f.CR4_PGE;
    x.mmu.read(0x1000n, 1);
    x.mmu.flushNonGlobal();
    expect(present()).toEqual([]);
  });

  it("ASIDs keep guests apart and are flushed one by one", () => {
    const nested = new f.Tables(x.ram, 0x20_0000);
    nested.map(0n, 0n, ALL, 2);
    nested.map(0x20_0000n, 0x20_0000n, ALL, 2);
    const other = new f.Tables(x.ram, 0x18_0000);
    tables.map(LINEAR, PAGE_A, ALL);
    other.map(LINEAR, PAGE_B, ALL);
    x.ram.setUint8(Number(PAGE_A), 0xa);
    x.ram.setUint8(Number(PAGE_B), 0xb);
    f.enterGuest(x, tables.root, nested.root, 1);
    expect(f.load(x, LINEAR)).toBe(0xa);
    f.enterGuest(x, other.root, nested.root, 2);
    expect(f.load(x, LINEAR)).toBe(0xb);
    // The same ASID with other tables is stale: that is what ASIDs mean.
    f.enterGuest(x, tables.root, nested.root, 2);
    expect(f.load(x, LINEAR)).toBe(0xb);
    x.mmu.flushAsid(1, false);
    expect(f.load(x, LINEAR)).toBe(0xb);
    x.mmu.flushPage(LINEAR, 1);
    expect(f.load(x, LINEAR)).toBe(0xb);
    x.mmu.flushAsid(2, false);
    expect(f.load(x, LINEAR)).toBe(0xa);
  });

  it("the host's entries survive the guest's flushes", () => {
    tables.map(LINEAR, PAGE_A, ALL);
    x.mmu.read(LINEAR, 1);
    f.enterGuest(x, tables.root, 0n, 1);
    x.mmu.flushNonGlobal();
    expect(present()).toEqual([LINEAR]);
    x.mmu.flushAll();
    expect(present()).toEqual([]);
  });
});

describe("the TLB depends on accesses only", () => {
  const PAGES = 64;
  const variants: Record<string, (x: f.Fixture, step: number) => void> = {
    "with no observer": () => {},
    "with every page watched": (x, step) => {
      if (step === 0) x.physical.addReasonToAll(PageReason.watchRead | PageReason.watchWrite);
    },
    "with pages watched and left": (x, step) => {
      const page = (step * 7) % PAGES;
      if (step % 3 === 0) x.physical.addReason(0x30_0000 + page * 4096, PageReason.watchWrite);
      else x.physical.removeReason(0x30_0000 + page * 4096, PageReason.watchWrite);
    },
    "with snapshots": (x, step) => {
      if (step % 50 === 0) x.physical.addReasonToAll(PageReason.clean);
      if (step % 70 === 0) x.mmu.restored();
    },
    "with code everywhere": (x, step) => {
      if (step === 0) x.physical.addReasonToAll(PageReason.code);
    },
    "with a debugger reading": (x, step) => {
      x.physical.peek((step * 4096) % (3 * f.MIB), 9000);
      if (step % 11 === 0) x.mmu.dropFastTags();
    },
  };

  /** A guest that edits its tables, flushes at times, and accesses all over the place. */
  function run(seed: number, between: (x: f.Fixture, step: number) => void): string {
    const next = randomFraction(seed);
    const x = f.makeFixture();
    const tables = new f.Tables(x.ram, 0x10_0000);
    // Each of the pages from 1024 on shares the slot of one before.
    const linear = () => BigInt(Math.floor(next() * PAGES) + (next() < 0.5 ? 1024 : 0)) << 12n;
    tables.entry(0n);
    tables.entry(1024n << 12n);
    f.enterLongMode(x, tables.root);
    const seen: unknown[] = [];
    for (let step = 0; step < 1500; step++) {
      between(x, step);
      const kind = next();
      const at = linear() + BigInt(Math.floor(next() * 4096));
      const value = Math.floor(next() * 256);
      if (kind < 0.1) {
        const bits = f.P | (next() < 0.7 ? f.W : 0n) | (next() < 0.5 ? f.U : 0n);
        tables.map(at & ~0xfffn, 0x30_0000n + BigInt(Math.floor(next() * PAGES) * 4096), bits);
      } else if (kind < 0.13) x.mmu.flushPage(at, 0);
      else if (kind < 0.14) x.mmu.flushNonGlobal();
      else if (kind < 0.2) {
        x.state.cpl = next() < 0.5 ? 0 : 3;
        x.mmu.selectBank();
      } else if (kind < 0.3) seen.push(f.thrown(() => seen.push(x.mmu.read(at, 1, "system"))));
      else if (kind < 0.6) seen.push(f.thrown(() => f.store(x, at, value)));
      else seen.push(f.thrown(() => seen.push(f.load(x, at))));
    }
    const text = (v: unknown) =>
      JSON.stringify(v, (_, w) => (typeof w === "bigint" ? w.toString(16) : w));
    return `${seen.map(text).join("\n")}\n${tlbContents(x)}`;
  }
  const { tlbContents } = f;

  for (const [name, between] of Object.entries(variants)) {
    it(name, () => {
      for (const seed of [1, 2, 3]) {
        const plain = run(seed, () => {});
        expect(plain.length).toBeGreaterThan(1000);
        expect(run(seed, between), `seed ${seed}`).toBe(plain);
      }
    });
  }
});
