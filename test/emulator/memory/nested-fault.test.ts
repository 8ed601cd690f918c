/** Nested faults: EXITINFO1 and EXITINFO2 as kvm-unit-tests' svm_npt.c expects them of hardware. */

import { beforeEach, describe, expect, it } from "vitest";
import { InterceptExit } from "../../../emulator/system/exceptions.ts";
import * as f from "./fixture.ts";

const ALL = f.P | f.W | f.U;
const GUEST_CR3 = 0x10_0000n;
const LINEAR = 0x5123n;
const PAGE = 0x30_0000n;

describe("nested faults", () => {
  let x: f.Fixture;
  let nested: f.Tables;

  beforeEach(() => {
    x = f.makeFixture();
    const guest = new f.Tables(x.ram, Number(GUEST_CR3));
    guest.map(LINEAR & ~0xfffn, PAGE, ALL);
    nested = new f.Tables(x.ram, 0x20_0000);
    for (let at = 0x10_0000n; at < 0x11_0000n; at += 0x1000n) nested.map(at, at, ALL);
    nested.map(PAGE, PAGE, ALL);
    f.enterGuest(x, GUEST_CR3, nested.root);
  });

  /** Changes the nested entry for a guest-physical address. */
  function change(address: bigint, level: number, to: (value: bigint) => bigint): void {
    const at = nested.entry(address, level);
    x.ram.setBigUint64(at, to(x.ram.getBigUint64(at, true)), true);
  }

  function exitOf(run: () => unknown): { code: number; info1: bigint; info2: bigint } {
    const exit = f.thrown(run);
    if (!(exit instanceof InterceptExit)) throw new Error(`not an exit: ${exit}`);
    return { code: exit.exitCode, info1: exit.info1, info2: exit.info2 };
  }
  const read = () => x.mmu.read(LINEAR, 1);
  const write = () => x.mmu.write(LINEAR, 1, 0n);
  const fetch = () => x.mmu.translateFetch(LINEAR);
  const final = (info1: bigint) => ({ code: 0x400, info1, info2: PAGE + 0x123n });

  it("a page that is not present", () => {
    change(PAGE, 1, () => 0n);
    expect(exitOf(read)).toEqual(final(0x1_0000_0004n));
    expect(exitOf(write)).toEqual(final(0x1_0000_0006n));
    expect(exitOf(fetch)).toEqual(final(0x1_0000_0014n));
  });

  it("a supervisor page: nested accesses are user accesses", () => {
    change(PAGE, 1, (e) => e & ~f.U);
    expect(exitOf(read)).toEqual(final(0x1_0000_0005n));
    change(PAGE, 1, (e) => e | f.U);
    change(PAGE, 2, (e) => e & ~f.U);
    expect(exitOf(read)).toEqual(final(0x1_0000_0005n));
    change(0n, 4, (e) => e & ~f.U);
    expect(exitOf(read)).toEqual({ code: 0x400, info1: 0x2_0000_0007n, info2: GUEST_CR3 });
  });

  it("a write to a read-only page; reads of it pass", () => {
    change(PAGE, 1, (e) => e & ~f.W);
    expect(exitOf(write)).toEqual(final(0x1_0000_0007n));
    expect(read()).toBe(0n);
    // The host's CR0.WP does not matter, nor the guest's.
    x.state.cr0 &= ~f.CR0_WP;
    expect(exitOf(write)).toEqual(final(0x1_0000_0007n));
  });

  it("a read-only page that holds guest tables: walks are user writes", () => {
    change(GUEST_CR3, 1, (e) => e & ~f.W);
    expect(exitOf(read)).toEqual({ code: 0x400, info1: 0x2_0000_0007n, info2: GUEST_CR3 });
  });

  it("a walk reports the address of the entry", () => {
    const pdpt = (x.ram.getBigUint64(Number(GUEST_CR3), true) & ~0xfffn) + 0x1000n * 2n;
    change(pdpt, 1, () => 0n);
    expect(exitOf(read)).toEqual({ code: 0x400, info1: 0x2_0000_0006n, info2: pdpt + 5n * 8n });
  });

  it("a fetch from a no-execute page, by the host's EFER.NXE", () => {
    change(PAGE, 1, (e) => e | f.NX);
    x.state.efer &= ~f.EFER_NXE;
    expect(exitOf(fetch)).toEqual(final(0x1_0000_0015n));
    expect(read()).toBe(0n);
    x.state.hostEfer &= ~f.EFER_NXE;
    x.mmu.flushAll();
    expect(exitOf(read)).toEqual(final(0x1_0000_000dn));
  });

  it("a reserved bit in the leaf; I/D only if the host has NX or SMEP", () => {
    change(PAGE, 1, (e) => e | (1n << 45n));
    expect(exitOf(read)).toEqual(final(0x1_0000_000dn));
    expect(exitOf(fetch)).toEqual(final(0x1_0000_001dn));
    x.state.hostEfer &= ~f.EFER_NXE;
    expect(exitOf(fetch)).toEqual(final(0x1_0000_000dn));
    x.state.hostCr4 |= f.CR4_SMEP;
    expect(exitOf(fetch)).toEqual(final(0x1_0000_001dn));
    x.state.hostCr4 &= ~f.CR4_SMEP;
    // The guest's SMEP and NXE change nothing here (its page is a supervisor page).
    x.ram.setBigUint64(Number(GUEST_CR3) + 0x3000 + 5 * 8, PAGE | f.P | f.W, true);
    x.state.cr4 |= f.CR4_SMEP;
    expect(exitOf(fetch)).toEqual(final(0x1_0000_000dn));
  });

  it.each([
    [4, 7n],
    [4, 8n],
    [4, 40n],
    [3, 8n],
    [3, 51n],
  ] as const)("reserved bit of level %i, bit %i, met by the walk of guest tables", (level, bit) => {
    change(0n, level, (e) => e | (1n << bit));
    expect(exitOf(fetch)).toEqual({ code: 0x400, info1: 0x2_0000_000fn, info2: GUEST_CR3 });
  });

  it("without guest paging every nested fault is one of the final address", () => {
    x.state.cr0 = 1n;
    x.state.efer = 0n;
    expect(exitOf(() => x.mmu.read(0x9_9008n, 4))).toEqual({
      code: 0x400,
      info1: 0x1_0000_0004n,
      info2: 0x9_9008n,
    });
    expect(x.mmu.read(PAGE, 4)).toBe(0n);
  });

  it("sets A and D in both stages: tables of the guest are written, its page as accessed", () => {
    read();
    const guestPte = Number(GUEST_CR3) + 0x3000 + 5 * 8;
    const bits = (at: number) => x.ram.getBigUint64(at, true) & (f.A | f.D);
    expect(bits(guestPte)).toBe(f.A);
    expect(bits(nested.entry(PAGE))).toBe(f.A);
    expect(bits(nested.entry(GUEST_CR3))).toBe(f.A | f.D);
    expect(bits(nested.entry(GUEST_CR3, 2))).toBe(f.A);
    write();
    expect(bits(guestPte)).toBe(f.A | f.D);
    expect(bits(nested.entry(PAGE))).toBe(f.A | f.D);
  });

  it("a guest's own fault comes before the nested fault of its page", () => {
    change(PAGE, 1, () => 0n);
    x.state.cpl = 3;
    x.ram.setBigUint64(Number(GUEST_CR3) + 0x3000 + 5 * 8, PAGE | f.P | f.W, true);
    expect(f.thrown(read)).toMatchObject({ exception: "PF", errorCode: 5, address: LINEAR });
  });

  it("a page table with a guest-physical address past 4 GiB has no 32-bit nested entry", () => {
    x.state.hostEfer = 0n;
    x.state.nestedCr3 = 0n;
    x.state.cr3 = 0x1_0000_0000n;
    expect(exitOf(read)).toEqual({ code: 0x400, info1: 0x2_0000_0006n, info2: 0x1_0000_0000n });
  });
});
