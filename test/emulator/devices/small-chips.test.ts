// The chips with few registers: 8042, ACPI power management, resets, debug ports, PCI, DMA.
import { expect, test } from "vitest";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

function reply(rig: Rig): number[] {
  const bytes: number[] = [];
  while (rig.inb(0x64) & 1) bytes.push(rig.inb(0x60));
  return bytes;
}
function ask(rig: Rig, ...writes: readonly [port: number, value: number][]): number[] {
  for (const [port, value] of writes) rig.outb(port, value);
  return reply(rig);
}

test("8042: what Linux's i8042 driver asks", () => {
  const rig = makeRig();
  expect(ask(rig, [0x64, 0xaa])).toEqual([0x55]);
  expect(rig.inb(0x64) & 4).toBe(4);
  expect(ask(rig, [0x64, 0x20])).toEqual([0x03]);
  ask(rig, [0x64, 0x60], [0x60, 0x74]);
  expect(ask(rig, [0x64, 0x20])).toEqual([0x74]);
  expect(ask(rig, [0x64, 0xab])).toEqual([0]);
  expect(ask(rig, [0x64, 0xa9])).toEqual([0]);
  rig.outb(0x64, 0xd3);
  rig.outb(0x60, 0x5a);
  expect(rig.inb(0x64) & 0x21).toBe(0x21);
  expect(rig.inb(0x60)).toBe(0x5a);
});

test("keyboard and mouse answer reset and identify; a key raises IRQ 1, the mouse IRQ 12", () => {
  const rig = makeRig();
  expect(ask(rig, [0x60, 0xff])).toEqual([0xfa, 0xaa]);
  expect(ask(rig, [0x60, 0xf2])).toEqual([0xfa, 0xab, 0x83]);
  expect(ask(rig, [0x60, 0xed], [0x60, 7])).toEqual([0xfa, 0xfa]);
  expect(ask(rig, [0x64, 0xd4], [0x60, 0xff])).toEqual([0xfa, 0xaa, 0]);
  expect(ask(rig, [0x64, 0xd4], [0x60, 0xf2])).toEqual([0xfa, 0]);
  expect(ask(rig, [0x64, 0xd4], [0x60, 0xe9])).toEqual([0xfa, 0, 2, 100]);
  initialisePic(rig, true);
  rig.platform.keyboard.receiveKeys([0x1e, 0x9e]);
  for (const code of [0x1e, 0x9e]) {
    expect(rig.platform.interrupts.acknowledge()).toBe(0x21);
    expect(rig.inb(0x60)).toBe(code);
  }
  rig.outb(0x64, 0xd4);
  rig.outb(0x60, 0xf4);
  expect(rig.platform.interrupts.acknowledge()).toBe(0x2c);
});

test("the three ways to reset", () => {
  for (const [port, value] of [
    [0x64, 0xfe],
    [0x92, 0x03],
    [0xcf9, 0x06],
  ] as const) {
    const rig = makeRig();
    rig.outb(port, value);
    expect(rig.stops).toEqual([{ kind: "reset" }]);
  }
  const rig = makeRig();
  rig.outb(0xcf9, 0x02);
  rig.outb(0x92, 0x02);
  expect(rig.stops).toEqual([]);
});

test("ACPI: hand-over by the SMI command port, power-off by SLP_EN with S5's type", () => {
  const rig = makeRig();
  expect(rig.ports.read(0x604, 2)).toBe(0);
  rig.outb(0xb2, 0xf1);
  expect(rig.ports.read(0x604, 2)).toBe(1);
  rig.ports.write(0x604, 2, 0x2401);
  expect(rig.stops).toEqual([]);
  rig.ports.write(0x604, 2, 0x2001);
  expect(rig.stops).toEqual([{ kind: "powerOff" }]);
});

test("ACPI: the power button raises the SCI on IRQ 9 until its status is cleared", () => {
  const rig = makeRig();
  initialisePic(rig, true);
  rig.outb(0x4d1, 0x02);
  rig.outb(0xb2, 0xf1);
  rig.ports.write(0x602, 2, 0x100);
  rig.platform.power.pressPowerButton();
  expect(rig.ports.read(0x600, 2)).toBe(0x100);
  expect(rig.platform.interrupts.pending()).toBe(true);
  expect(rig.inb(0xa0)).toBe(0x02);
  rig.ports.write(0x600, 2, 0x100);
  expect(rig.inb(0xa0)).toBe(0);
});

test("ACPI: the timer runs at 3.579545 MHz in 24 bits, and tells when its top bit changes", () => {
  const rig = makeRig();
  rig.advance(1_000_000_000);
  expect(rig.ports.read(0x608, 4)).toBe(3_579_545);
  rig.ports.write(0x602, 2, 1);
  rig.outb(0xb2, 0xf1);
  expect(rig.platform.nextAlarm()).toBe(Math.ceil((2 ** 23 * 1e9) / 3_579_545));
  rig.advance(1_400_000_000);
  expect(rig.ports.read(0x600, 2)).toBe(1);
  rig.advance(2_400_000_000);
  expect(rig.ports.read(0x608, 4)).toBe(Math.floor(4.8 * 3_579_545) % 2 ** 24);
});

test("debug console, debug exit, power-on code", () => {
  const rig = makeRig();
  for (const character of "ok") rig.outb(0xe9, character.charCodeAt(0));
  expect(rig.text("debug")).toBe("ok");
  expect(rig.inb(0xe9)).toBe(0xe9);
  rig.ports.write(0xf4, 4, 3);
  rig.outb(0xf4, 0x80);
  expect(rig.stops).toEqual([
    { kind: "debugExit", value: 3 },
    { kind: "debugExit", value: 0x80 },
  ]);
  rig.outb(0x80, 0x55);
  expect(rig.inb(0x80)).toBe(0xff);
});

test("PCI: one host bridge, nothing else, and the address register only in four bytes", () => {
  const rig = makeRig();
  const config = (address: number) => {
    rig.ports.write(0xcf8, 4, address);
    return rig.ports.read(0xcfc, 4);
  };
  expect(config(0x8000_0000)).toBe(0x1237_8086);
  expect(config(0x8000_0008)).toBe(0x0600_0002);
  rig.ports.write(0xcf8, 1, 0x55);
  expect(rig.ports.read(0xcf8, 4)).toBe(0x8000_0008);
  expect(config(0x8000_0800)).toBe(0xffff_ffff);
  expect(config(0x0000_0000)).toBe(0xffff_ffff);
  config(0x8000_0058);
  rig.outb(0xcfd, 0x10);
  expect(rig.inb(0xcfd)).toBe(0x10);
});

test("DMA: sixteen-bit registers through the byte pointer, pages, masks", () => {
  const rig = makeRig();
  rig.outb(0x0c, 0);
  rig.outb(0x04, 0x34);
  rig.outb(0x04, 0x12);
  expect([rig.inb(0x04), rig.inb(0x04)]).toEqual([0x34, 0x12]);
  rig.outb(0x81, 0x07);
  expect(rig.inb(0x81)).toBe(0x07);
  rig.outb(0xd4, 0x02);
  expect(rig.inb(0xde)).toBe(0xfb);
});
