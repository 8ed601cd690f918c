// The serial ports: receiving, interrupts, character timeout, and what Linux's 8250 driver probes.
import { expect, test } from "vitest";
import { makeRig, type Rig } from "./rig.ts";

const COM1 = 0x3f8;
const irq4 = (rig: Rig) => (rig.inb(0x20) & 0x10) !== 0;

/** IRQ 4 is level-triggered here, so that IRR shows the line. */
function rigWithLevelIrq(): Rig {
  const rig = makeRig();
  rig.outb(0x4d0, 0x18);
  rig.outb(0x20, 0x0a);
  return rig;
}

test("a written byte goes out at once, and the transmitter is empty again", () => {
  const rig = makeRig();
  for (const byte of [0x48, 0x69]) rig.outb(COM1, byte);
  rig.outb(0x2f8, 0x21);
  expect(rig.text("com1")).toBe("Hi");
  expect(rig.text("com2")).toBe("!");
  expect(rig.inb(COM1 + 5)).toBe(0x60);
});

test("the divisor latch hides data and interrupt enable", () => {
  const rig = makeRig();
  rig.outb(COM1 + 3, 0x83);
  rig.outb(COM1, 0x34);
  rig.outb(COM1 + 1, 0x12);
  expect([rig.inb(COM1), rig.inb(COM1 + 1)]).toEqual([0x34, 0x12]);
  rig.outb(COM1 + 3, 0x03);
  expect(rig.inb(COM1 + 1)).toBe(0);
  expect(rig.consoles.com1).toEqual([]);
});

test("the transmit interrupt: raised by enabling it, acknowledged by reading IIR", () => {
  const rig = rigWithLevelIrq();
  expect(irq4(rig)).toBe(false);
  rig.outb(COM1 + 1, 2);
  expect(irq4(rig)).toBe(true);
  expect(rig.inb(COM1 + 2)).toBe(0x02);
  expect(irq4(rig)).toBe(false);
  expect(rig.inb(COM1 + 2)).toBe(0x01);
  // Linux's test for the THRE bug: it comes again by turning it off and on.
  rig.outb(COM1 + 1, 0);
  rig.outb(COM1 + 1, 2);
  expect(rig.inb(COM1 + 2)).toBe(0x02);
  rig.outb(COM1, 0x41);
  expect(rig.inb(COM1 + 2)).toBe(0x02);
});

test("the receive interrupt without FIFO: one byte at a time, nothing lost", () => {
  const rig = rigWithLevelIrq();
  rig.outb(COM1 + 1, 1);
  rig.platform.serialInput(0, [1, 2, 3]);
  const got: number[] = [];
  while (irq4(rig)) {
    expect(rig.inb(COM1 + 2)).toBe(0x04);
    expect(rig.inb(COM1 + 5) & 3).toBe(1);
    got.push(rig.inb(COM1));
  }
  expect(got).toEqual([1, 2, 3]);
});

test("the FIFO: trigger level, then a character timeout for the rest", () => {
  const rig = rigWithLevelIrq();
  rig.outb(COM1 + 3, 0x83);
  rig.outb(COM1, 1);
  rig.outb(COM1 + 3, 0x03);
  rig.outb(COM1 + 2, 0x81);
  rig.outb(COM1 + 1, 1);
  rig.platform.serialInput(0, [1, 2, 3]);
  expect(irq4(rig)).toBe(false);
  // Four characters of ten bits at 115200 baud.
  const timeout = 4 * Math.floor((10 * 1e9) / 115_200);
  rig.advance(timeout - 1);
  expect(irq4(rig)).toBe(false);
  rig.advance(1);
  expect(irq4(rig)).toBe(true);
  expect(rig.inb(COM1 + 2)).toBe(0xcc);
  expect(rig.inb(COM1)).toBe(1);
  expect(irq4(rig)).toBe(false);
  rig.platform.serialInput(
    0,
    Array.from({ length: 100 }, (_, i) => i),
  );
  expect(rig.inb(COM1 + 2)).toBe(0xc4);
  const rest: number[] = [];
  while (rig.inb(COM1 + 5) & 1) rest.push(rig.inb(COM1));
  expect(rest).toEqual([2, 3, ...Array.from({ length: 100 }, (_, i) => i)]);
});

test("autoconfiguration finds a 16550A: scratch, FIFO bits, loopback of the modem lines", () => {
  const rig = makeRig();
  rig.outb(COM1 + 1, 0xff);
  expect(rig.inb(COM1 + 1)).toBe(0x0f);
  rig.outb(COM1 + 1, 0);
  rig.outb(COM1 + 4, 0x1a);
  expect(rig.inb(COM1 + 6) & 0xf0).toBe(0x90);
  rig.outb(COM1 + 4, 0x0b);
  expect(rig.inb(COM1 + 6) & 0xf0).toBe(0xb0);
  rig.outb(COM1 + 2, 1);
  expect(rig.inb(COM1 + 2) >> 6).toBe(3);
  rig.outb(COM1 + 7, 0xa5);
  expect(rig.inb(COM1 + 7)).toBe(0xa5);
});

test("loopback: bytes come back and do not go out; an overrun is told once", () => {
  const rig = rigWithLevelIrq();
  rig.outb(COM1 + 4, 0x10);
  rig.outb(COM1 + 1, 4);
  rig.outb(COM1, 0x55);
  rig.outb(COM1, 0x66);
  expect(rig.consoles.com1).toEqual([]);
  expect(irq4(rig)).toBe(true);
  expect(rig.inb(COM1 + 2)).toBe(0x06);
  expect(rig.inb(COM1 + 5)).toBe(0x63);
  expect(rig.inb(COM1 + 5)).toBe(0x61);
  expect(irq4(rig)).toBe(false);
  expect(rig.inb(COM1)).toBe(0x66);
});

test("the modem status interrupt: deltas, cleared by reading MSR", () => {
  const rig = rigWithLevelIrq();
  rig.outb(COM1 + 1, 8);
  rig.outb(COM1 + 4, 0x10);
  expect(rig.inb(COM1 + 2)).toBe(0x00);
  expect(rig.inb(COM1 + 6)).toBe(0x0b);
  expect(rig.inb(COM1 + 2)).toBe(0x01);
});
