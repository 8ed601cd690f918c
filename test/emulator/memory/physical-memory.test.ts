/** The physical address space as DMA, SVM and the debugger use it. */

import { describe, expect, it } from "vitest";
import type { Device } from "../../../emulator/devices/device.ts";
import { Ports } from "../../../emulator/memory/port-space.ts";
import { PageReason } from "../../../emulator/state/memory-map.ts";
import * as f from "./fixture.ts";

const screen: Device = {
  name: "screen",
  reset() {},
  save: () => ({}),
  restore() {},
  readMmio: () => 0x41n,
  readPort: (port, size) => port * size,
};

describe("physical memory", () => {
  it("reads and writes all sizes, across pages too", () => {
    const x = f.makeFixture();
    for (const size of [1, 2, 3, 4, 5, 7, 8]) {
      const value = 0x8877_6655_4433_2211n & ((1n << BigInt(size * 8)) - 1n);
      for (const at of [0x1000, 0x1ffd]) {
        x.physical.write(at, 8, 0n);
        x.physical.write(at, size, value);
        expect(x.physical.read(at, size)).toBe(value);
        expect(x.physical.read(at, 8)).toBe(value);
      }
    }
    expect(x.physical.readEntry(0x1ff8, 8)).toBe(x.ram.getBigUint64(0x1ff8, true));
    expect(x.physical.readEntry(0x5000_0000, 4)).toBe(0xffff_ffffn);
    expect(x.physical.read(0x5000_0000, 8)).toBe(0xffff_ffff_ffff_ffffn);
    expect(x.physical.read(0xff_ffff_fff8, 8)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("a device can cover RAM, and debugger reads end there", () => {
    const x = f.makeFixture();
    x.ram.setUint8(0xb_8000, 1);
    x.physical.attachMmio(screen, 0xb_8000, 0x8000);
    expect(x.physical.pointer(0xb_8000)).toBe(-1);
    expect(x.physical.read(0xb_8000, 1)).toBe(0x41n);
    expect(x.physical.peek(0xb_7ff0, 64).length).toBe(16);
    expect(x.physical.poke(0xb_7ff0, new Uint8Array(64))).toBe(16);
    expect(() => x.physical.attachMmio(screen, 0xb_f000, 0x1000)).toThrow(/overlap/);
    expect(x.physical.peek(4 * f.MIB - 3, 64).length).toBe(3);
  });

  it("firmware shows below 4 GiB and cannot be written, except by the debugger", () => {
    const x = f.makeFixture();
    x.physical.setRomAlias(0xffff_0000, 0x1_0000, 0xf_0000);
    expect(x.physical.poke(0xffff_fff0, Uint8Array.of(0xea))).toBe(1);
    expect(x.physical.read(0xf_fff0, 1)).toBe(0xean);
    x.physical.write(0xffff_fff0, 1, 0n);
    x.physical.write(0xf_fff0, 1, 0n);
    expect(x.physical.read(0xffff_fff0, 1)).toBe(0xean);
    // Paging off: the CPU fetches from the alias and finds the RAM behind it.
    expect(x.mmu.translateFetch(0xffff_fff0n)).toBe(0xf_fff0);
  });

  it("debugger writes drop code and note the first write, but tell no watcher", () => {
    const x = f.makeFixture();
    const log: unknown[] = [];
    x.physical.onCodeWrite = (address, bytes) => void log.push(["code", address, bytes]);
    x.physical.onFirstWrite = (page) => void log.push(["first", page]);
    x.observers.attach({ name: "t", on: { physicalWrite: () => void log.push("watch") } });
    const all = PageReason.code | PageReason.clean | PageReason.watchWrite;
    x.physical.addReason(0x2000, all);
    expect(x.physical.poke(0x1ffe, Uint8Array.of(1, 2, 3, 4))).toBe(4);
    expect(log).toEqual([
      ["first", 2],
      ["code", 0x2000, 2],
    ]);
    expect(x.ram.getUint32(0x1ffe, true)).toBe(0x0403_0201);
    expect(x.physical.reasons(0x2000)).toBe(PageReason.code | PageReason.watchWrite);
  });
});

describe("port space", () => {
  it("gives a wide access to the owner of its first port and counts what nobody owns", () => {
    const ports = new Ports();
    ports.attach(screen, 0x3f8, 8);
    expect(ports.read(0x3f9, 2)).toBe(0x3f9 * 2);
    expect(ports.read(0x3f8, 1)).toBe(0xf8);
    expect(ports.read(0x80, 1)).toBe(0xff);
    expect(ports.read(0x80, 4)).toBe(0xffff_ffff);
    ports.write(0x3f8, 1, 5);
    ports.write(0x80, 2, 5);
    expect([...ports.refused]).toEqual([
      [0x80, { reads: 2, writes: 1 }],
      [0x3f8, { reads: 0, writes: 1 }],
    ]);
    expect(() => ports.attach(screen, 0x3ff, 1)).toThrow(/belongs to screen/);
  });
});
