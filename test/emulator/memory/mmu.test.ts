/** Data accesses of the MMU: privileges, page crossings, devices, ROM and watched pages. */

import { beforeEach, describe, expect, it } from "vitest";
import type { Device } from "../../../emulator/devices/device.ts";
import { CPU_FIELDS } from "../../../emulator/state/cpu-fields.ts";
import { PageReason, RAM_BASE } from "../../../emulator/state/memory-map.ts";
import * as f from "./fixture.ts";

const ALL = f.P | f.W | f.U;
const DEVICE = 0xfee0_0000n;

class Recorder implements Device {
  readonly name = "recorder";
  readonly log: string[] = [];
  reset(): void {}
  save() {
    return {};
  }
  restore(): void {}
  readMmio(address: number, size: number): bigint {
    this.log.push(`r ${address.toString(16)} ${size}`);
    return 0x1122_3344_5566_7788n;
  }
  writeMmio(address: number, size: number, value: bigint): void {
    this.log.push(`w ${address.toString(16)} ${size} ${value.toString(16)}`);
  }
}

let x: f.Fixture;
let tables: f.Tables;
let events: unknown[];

beforeEach(() => {
  x = f.makeFixture();
  tables = new f.Tables(x.ram, 0x10_0000);
  for (let at = 0x30_0000n; at < 0x38_0000n; at += 0x1000n) tables.map(at, at, ALL);
  f.enterLongMode(x, tables.root);
  events = [];
  x.observers.attach({
    name: "test",
    on: {
      physicalWrite: (e) => void events.push(["write", e.address, e.size, e.before, e.after]),
      physicalRead: (e) => void events.push(["read", e.address, e.size]),
    },
  });
});

const bounce = () => x.state.base + CPU_FIELDS.bounce0.offset;
const fault = (run: () => unknown) => f.thrown(run);

describe("privileges", () => {
  it("reports the error code of each kind of access", () => {
    const at = 0x50_0008n;
    expect(fault(() => x.mmu.read(at, 4))).toMatchObject({ errorCode: 0, address: at });
    expect(fault(() => x.mmu.write(at, 4, 0n))).toMatchObject({ errorCode: 2 });
    expect(fault(() => x.mmu.translateFetch(at))).toMatchObject({ errorCode: 16 });
    x.state.cpl = 3;
    expect(fault(() => x.mmu.read(at, 4))).toMatchObject({ errorCode: 4 });
    expect(fault(() => x.mmu.read(at, 4, "system"))).toMatchObject({ errorCode: 0 });
    tables.map(0x50_0000n, 0x30_0000n, f.P | f.U | f.NX);
    expect(fault(() => x.mmu.probeWrite(at, 4))).toMatchObject({ errorCode: 7 });
    expect(fault(() => x.mmu.translateFetch(at))).toMatchObject({ errorCode: 0x15 });
    tables.map(0x50_0000n, 0x30_0000n, f.P | f.U | (1n << 40n));
    expect(fault(() => x.mmu.read(at, 4))).toMatchObject({ errorCode: 0xd });
  });

  it("SMEP and SMAP guard user pages from the supervisor, whatever is in the TLB", () => {
    x.mmu.translateFetch(0x30_0000n);
    f.load(x, 0x30_0000n);
    x.state.cr4 |= f.CR4_SMEP | f.CR4_SMAP;
    x.mmu.selectBank();
    expect(fault(() => x.mmu.translateFetch(0x30_0000n))).toMatchObject({ errorCode: 0x11 });
    expect(fault(() => f.load(x, 0x30_0000n))).toMatchObject({ errorCode: 1 });
    x.state.flagsOther |= 1n << 18n;
    expect(f.load(x, 0x30_0000n)).toBe(0);
    expect(f.fastHit(x, 0x30_0000n, 1, false)).toBe(false);
    expect(fault(() => x.mmu.read(0x30_0000n, 1, "system"))).toMatchObject({ errorCode: 1 });
    x.state.flagsOther &= ~(1n << 18n);
    expect(fault(() => f.load(x, 0x30_0000n))).toMatchObject({ errorCode: 1 });
  });

  it("non-canonical addresses are #GP", () => {
    expect(fault(() => x.mmu.read(0x8000_0000_0000n, 1))).toMatchObject({ exception: "GP" });
    expect(fault(() => x.mmu.read(0xffff_7fff_ffff_fff8n, 8))).toMatchObject({ exception: "GP" });
    tables.map(0x7fff_ffff_f000n, 0x30_0000n, ALL);
    expect(x.mmu.read(0x7fff_ffff_fff8n, 8)).toBe(0n);
    expect(fault(() => x.mmu.read(0x7fff_ffff_fffcn, 8))).toMatchObject({ exception: "GP" });
    tables.map(0xffff_8000_0000_0000n, 0x30_0000n, ALL);
    expect(x.mmu.read(0xffff_8000_0000_0000n, 8)).toBe(0n);
  });
});

describe("accesses across pages", () => {
  const LAST = 0x30_0ffdn;

  it("are put together from both pages", () => {
    x.mmu.write(LAST, 8, 0x1122_3344_5566_7788n);
    expect(x.mmu.read(LAST, 8)).toBe(0x1122_3344_5566_7788n);
    expect(x.ram.getBigUint64(0x30_0ffd, true)).toBe(0x1122_3344_5566_7788n);
    const at = x.mmu.readSlow(LAST, 16);
    expect(at).toBe(bounce());
    expect(x.linearMemory.getBigUint64(at, true)).toBe(0x1122_3344_5566_7788n);
    expect(x.mmu.modifySlow(LAST, 8)).toBe(at);
    x.linearMemory.setBigUint64(at, ~x.linearMemory.getBigUint64(at, true), true);
    x.mmu.commitWrite();
    expect(x.ram.getBigUint64(0x30_0ffd, true)).toBe(0xeedd_ccbb_aa99_8877n);
  });

  it("fault on the lower page first and change nothing", () => {
    tables.map(0x30_1000n, 0x30_1000n, f.P);
    const at = tables.map(0x30_0000n, 0x30_0000n, f.P);
    expect(fault(() => x.mmu.write(LAST, 8, ~0n))).toMatchObject({ errorCode: 3, address: LAST });
    x.ram.setBigUint64(at, 0x30_0000n | ALL, true);
    const second = fault(() => x.mmu.write(LAST, 8, ~0n));
    expect(second).toMatchObject({ errorCode: 3, address: 0x30_1000n });
    expect(fault(() => x.mmu.writeSlow(LAST, 8))).toMatchObject({ address: 0x30_1000n });
    expect(fault(() => x.mmu.probeWrite(LAST, 8))).toMatchObject({ address: 0x30_1000n });
    expect(x.ram.getBigUint64(0x30_0ffd, true)).toBe(0n);
  });

  it("wrap at 4 GiB outside 64-bit mode only", () => {
    tables.map(0xffff_f000n, 0x30_0000n, ALL);
    tables.map(0n, 0x30_2000n, ALL);
    tables.map(0x1_0000_0000n, 0x30_3000n, ALL);
    x.ram.setUint8(0x30_2000, 2);
    x.ram.setUint8(0x30_3000, 3);
    expect(x.mmu.read(0xffff_ffffn, 2)).toBe(0x300n);
    x.state.cs.attributes = 0;
    expect(x.mmu.read(0xffff_ffffn, 2)).toBe(0x200n);
    expect(x.mmu.read(0xffff_ffffn, 2, "system")).toBe(0x300n);
  });
});

describe("what is not plain RAM", () => {
  it("a device sees the accesses at their size, 16 bytes as two of 8", () => {
    const device = new Recorder();
    x.physical.attachMmio(device, Number(DEVICE), 0x1000);
    tables.map(0x50_0000n, DEVICE, ALL);
    expect(x.mmu.read(0x50_0010n, 4)).toBe(0x5566_7788n);
    x.mmu.write(0x50_0020n, 2, 0xabcdn);
    expect(x.mmu.readSlow(0x50_0030n, 16)).toBe(bounce());
    expect(x.linearMemory.getBigUint64(bounce() + 8, true)).toBe(0x1122_3344_5566_7788n);
    expect(x.mmu.writeSlow(0x50_0040n, 4)).toBe(bounce());
    x.linearMemory.setUint32(bounce(), 0x99, true);
    x.mmu.commitWrite();
    expect(f.fastHit(x, 0x50_0040n, 4, true)).toBe(false);
    expect(device.log).toEqual([
      "r fee00010 4",
      "w fee00020 2 abcd",
      "r fee00030 8",
      "r fee00038 8",
      "w fee00040 4 99",
    ]);
  });

  it("holes read all ones and ignore writes", () => {
    tables.map(0x50_0000n, 0xd000_0000n, ALL);
    x.mmu.write(0x50_0000n, 8, 0n);
    expect(x.mmu.read(0x50_0000n, 8)).toBe(0xffff_ffff_ffff_ffffn);
    expect(x.linearMemory.getInt32(x.mmu.readSlow(0x50_0000n, 4), true)).toBe(-1);
  });

  it("ROM is read fast and never written", () => {
    x.ram.setUint8(0x30_0000, 7);
    x.physical.addReason(0x30_0000, PageReason.rom);
    f.store(x, 0x30_0000n, 9);
    x.mmu.write(0x30_0000n, 4, 9n);
    expect(f.load(x, 0x30_0000n)).toBe(7);
    expect(f.fastHit(x, 0x30_0000n, 1, false)).toBe(true);
    expect(f.fastHit(x, 0x30_0000n, 1, true)).toBe(false);
  });

  it("code pages are announced before the write, once for each", () => {
    const writes: [number, number][] = [];
    x.physical.onCodeWrite = (address, bytes) => void writes.push([address, bytes]);
    f.store(x, 0x30_0005n, 1);
    x.physical.addReason(0x30_0000, PageReason.code);
    expect(f.fastHit(x, 0x30_0005n, 1, true)).toBe(false);
    f.store(x, 0x30_0005n, 2);
    x.mmu.write(0x30_0ffcn, 8, 0n);
    expect(writes).toEqual([
      [0x30_0005, 1],
      [0x30_0ffc, 4],
    ]);
    expect(x.mmu.writeSlow(0x30_0008n, 8)).toBe(RAM_BASE + 0x30_0008);
  });

  it("a clean page is reported once, then fast again", () => {
    const pages: number[] = [];
    x.physical.onFirstWrite = (page) => void pages.push(page);
    f.store(x, 0x30_0000n, 1);
    x.physical.addReasonToAll(PageReason.clean);
    f.store(x, 0x30_0000n, 2);
    expect(f.fastHit(x, 0x30_0000n, 1, true)).toBe(true);
    x.mmu.write(0x30_1ffcn, 8, 0n);
    expect(pages.filter((p) => p >= 0x300)).toEqual([0x300, 0x301, 0x302]);
  });
});

describe("watched pages", () => {
  it("tell value before and after, with the page's other bytes untouched", () => {
    x.physical.addReason(0x30_0000, PageReason.watchWrite);
    f.store(x, 0x30_0004n, 0x12);
    const at = x.mmu.modifySlow(0x30_0004n, 2);
    x.linearMemory.setUint16(at, x.linearMemory.getUint16(at, true) + 0x100, true);
    x.mmu.commitWrite();
    expect(events).toEqual([
      ["write", 0x30_0004, 1, 0n, 0x12n],
      ["write", 0x30_0004, 2, 0x12n, 0x112n],
    ]);
    expect(f.load(x, 0x30_0004n)).toBe(0x12);
    expect(f.fastHit(x, 0x30_0004n, 1, false)).toBe(true);
  });

  it("lose their read tags when a watch of reads joins one of writes", () => {
    x.physical.addReason(0x30_0000, PageReason.watchWrite);
    f.load(x, 0x30_0000n);
    x.physical.addReason(0x30_0000, PageReason.watchRead);
    f.load(x, 0x30_0000n);
    expect(events).toEqual([["read", 0x30_0000, 1]]);
  });

  it("tell reads, and the part of a crossing access that is theirs", () => {
    x.physical.addReason(0x30_1000, PageReason.watchRead | PageReason.watchWrite);
    x.mmu.read(0x30_0ffen, 4);
    x.mmu.readSlow(0x30_1ffen, 4);
    x.mmu.readSlow(0x30_1008n, 8);
    x.mmu.write(0x30_0ffen, 4, 0x1234_5678n);
    expect(events).toEqual([
      ["read", 0x30_1000, 2],
      ["read", 0x30_1ffe, 2],
      ["read", 0x30_1008, 8],
      ["write", 0x30_1000, 2, 0n, 0x1234n],
    ]);
  });

  it("tell the Accessed and Dirty updates of a walk", () => {
    const entry = tables.entry(0x30_0000n);
    x.physical.addReason(entry, PageReason.watchWrite);
    f.store(x, 0x30_0000n, 1);
    const value = 0x30_0000n | ALL;
    expect(events).toEqual([["write", entry, 4, value, value | f.A | f.D]]);
  });
});
