/** The debugger's view: all levels, reasons of failure, and no trace left in the machine. */

import { beforeEach, describe, expect, it } from "vitest";
import { Machine } from "../../../emulator/machine.ts";
import { DebugMemory, type Worlds } from "../../../emulator/memory/address-space.ts";
import { currentNested, currentPaging } from "../../../emulator/memory/translate.ts";
import * as f from "./fixture.ts";

const ALL = f.P | f.W | f.U;
const LINEAR = 0x5000n;

describe("address spaces", () => {
  let x: f.Fixture;
  let debug: DebugMemory;
  let worlds: Worlds;
  let nested: f.Tables;

  beforeEach(() => {
    x = f.makeFixture();
    const host = new f.Tables(x.ram, 0x8_0000);
    host.map(0xffff_8000_0000_0000n, 0n, f.P | f.W, 2);
    const guest = new f.Tables(x.ram, 0x10_0000);
    guest.map(LINEAR, 0x7000n, f.P | f.U);
    guest.map(LINEAR + 0x1000n, 0x8000n, ALL);
    nested = new f.Tables(x.ram, 0x20_0000);
    nested.map(0x20_0000n, 0x10_0000n & ~0x1f_ffffn, ALL, 2);
    for (let at = 0x10_0000n; at < 0x11_0000n; at += 0x1000n) nested.map(at, at, ALL);
    nested.map(0x7000n, 0x30_0000n, ALL);
    nested.map(0x8000n, 0x31_0000n, f.P | f.U);
    f.enterLongMode(x, host.root);
    const hostPaging = currentPaging(x.state);
    f.enterGuest(x, guest.root, nested.root);
    const tables = currentNested(x.state);
    if (tables === undefined) throw new Error("no guest");
    worlds = { host: hostPaging, guest: { paging: currentPaging(x.state), nested: tables } };
    debug = new DebugMemory(x.physical);
    x.ram.setUint32(0x30_0ffc, 0x4433_2211, true);
    x.ram.setUint32(0x31_0000, 0x8877_6655, true);
  });

  it("gives every level of both stages", () => {
    const page = debug.translate({ kind: "gva" }, LINEAR + 8n, worlds);
    expect(page).toMatchObject({
      kind: "page",
      physical: 0x30_0008,
      pageSize: 4096,
      nestedPageSize: 4096,
      rights: { write: false, user: true, execute: true },
      nestedRights: { write: true },
    });
    const names = page.levels.map((l) => (l.stage === "nested" ? "n" : "") + l.entry).join(" ");
    const walk = "nPML4E nPDPE nPDE nPTE";
    expect(names).toBe(`${walk} PML4E ${walk} PDPE ${walk} PDE ${walk} PTE ${walk}`);
    expect(page.levels.at(-5)).toMatchObject({ address: 0x10_3028, value: 0x7000n | f.P | f.U });
  });

  it("translates each kind of address, with other roots on request", () => {
    const at = (kind: "hpa" | "hva" | "gpa" | "gva", address: bigint, root?: bigint) => {
      const page = debug.translate(root === undefined ? { kind } : { kind, root }, address, worlds);
      return page.kind === "page" ? page.physical : page.reason;
    };
    expect(at("hpa", 0x1234n)).toBe(0x1234);
    expect(at("hva", 0xffff_8000_0001_2345n)).toBe(0x1_2345);
    expect(at("gpa", 0x7010n)).toBe(0x30_0010);
    expect(at("hva", LINEAR, worlds.guest?.paging.cr3)).toBe(0x7000);
    expect(at("gpa", 0xffff_8000_0001n, worlds.host.cr3)).toContain("not present");
    expect(at("hva", 0x8000_0000_0000n)).toBe("the address is not canonical");
    expect(at("gva", LINEAR + 0x2000n)).toBe("PTE at hpa:0x103038 is not present");
    expect(debug.translate({ kind: "gva" }, 0n, { host: worlds.host })).toMatchObject({
      fault: "none",
    });
  });

  it("fails as the CPU would when asked to check rights", () => {
    const write = debug.translate({ kind: "gva" }, LINEAR, worlds, { write: true, user: true });
    expect(write).toMatchObject({ fault: "PF", code: 7n, address: LINEAR });
    const final = debug.translate({ kind: "gva" }, LINEAR + 0x1004n, worlds, { write: true });
    expect(final).toMatchObject({ fault: "NPF", code: 0x1_0000_0007n, address: 0x8004n });
    expect(final.kind === "fault" && final.reason).toContain("nested PTE");
    x.ram.setBigUint64(nested.entry(0x10_1000n), 0n, true);
    const table = debug.translate({ kind: "gva" }, LINEAR, worlds);
    expect(table).toMatchObject({ fault: "NPF", code: 0x2_0000_0006n, address: 0x10_1000n });
  });

  it("reads and writes across pages and stops where nothing is", () => {
    const bytes = debug.peek({ kind: "gva" }, LINEAR + 0xffcn, 8, worlds);
    expect([...bytes]).toEqual([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    expect(debug.peek({ kind: "gva" }, LINEAR + 0x1ffcn, 64, worlds).length).toBe(4);
    expect(debug.peek({ kind: "gva" }, 0n, 64, worlds).length).toBe(0);
    // Protection does not bind the debugger.
    expect(debug.poke({ kind: "gva" }, LINEAR + 0xfffn, Uint8Array.of(9, 8), worlds)).toBe(2);
    expect(x.ram.getUint8(0x30_0fff)).toBe(9);
    expect(x.ram.getUint8(0x31_0000)).toBe(8);
  });

  it("leaves neither A/D bits nor TLB entries behind", () => {
    const before = new Uint8Array(x.ram.buffer).slice(x.ram.byteOffset);
    debug.peek({ kind: "gva" }, LINEAR, 0x2000, worlds);
    debug.translate({ kind: "gva" }, LINEAR + 0x1000n, worlds, { write: true });
    const after = new Uint8Array(x.ram.buffer).slice(x.ram.byteOffset);
    expect(Buffer.compare(before, after)).toBe(0);
    expect(f.tlbContents(x)).toBe("");
  });
});

describe("devices and holes", () => {
  const machine = new Machine({ ramBytes: 4 * f.MIB });
  const debug = new DebugMemory(machine.memory);
  const worlds: Worlds = { host: currentPaging(machine.state) };
  const space = { kind: "hpa" } as const;

  it("registers of a device are read without side effects, at any alignment", () => {
    const before = machine.stateHash();
    // The local APIC's version register, and half of it.
    const version = debug.peek(space, 0xfee0_0030n, 4, worlds);
    const { localApic } = machine.platform.interrupts;
    const word = new DataView(version.slice().buffer).getUint32(0, true);
    expect(BigInt(word)).toBe(localApic.readMmio(0xfee0_0030, 4));
    expect(word).not.toBe(0);
    expect([...debug.peek(space, 0xfee0_0032n, 2, worlds)]).toEqual([...version.subarray(2)]);
    expect(debug.peek(space, 0xfee0_0000n, 0x1000, worlds).length).toBe(0x1000);
    expect(debug.peek(space, 0xfec0_0000n, 0x20, worlds).length).toBe(0x20);
    expect(machine.stateHash()).toBe(before);
    expect(debug.poke(space, 0xfee0_0080n, Uint8Array.of(1), worlds)).toBe(0);
  });

  it("a hole has a length, and what is behind it is found", () => {
    const end = BigInt(4 * f.MIB);
    expect(debug.peek(space, end - 4n, 64, worlds).length).toBe(4);
    expect(debug.unreadable(space, end, 64, worlds)).toBe(64);
    expect(debug.unreadable(space, 0xfebf_f000n, 0x3000, worlds)).toBe(0x1000);
    expect(debug.unreadable(space, 0xfec0_0010n, 16, worlds)).toBe(0);
  });
});
