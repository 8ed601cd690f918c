// The 8259 pair as a CPU meets it: vectors, nesting, cascade, spurious interrupts, modes.
import { expect, test } from "vitest";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

function rigWithPic(autoEoi = false): Rig {
  const rig = makeRig();
  initialisePic(rig, autoEoi);
  return rig;
}
const pulse = (rig: Rig, line: number) => {
  rig.platform.interrupts.isaLine(line)(true);
  rig.platform.interrupts.isaLine(line)(false);
};
const acknowledge = (rig: Rig) => rig.platform.interrupts.acknowledge();
const pending = (rig: Rig) => rig.platform.interrupts.pending();

test("vectors come in order of priority, the slave's lines between 1 and 3", () => {
  const rig = rigWithPic(true);
  for (const line of [7, 12, 4, 8, 1]) pulse(rig, line);
  const vectors: number[] = [];
  while (pending(rig)) vectors.push(acknowledge(rig));
  expect(vectors).toEqual([0x21, 0x28, 0x2c, 0x24, 0x27]);
});

test("a line in service holds back its own and lower ones until its EOI", () => {
  const rig = rigWithPic();
  pulse(rig, 4);
  expect(acknowledge(rig)).toBe(0x24);
  pulse(rig, 4);
  pulse(rig, 5);
  expect(pending(rig)).toBe(false);
  pulse(rig, 1);
  expect(acknowledge(rig)).toBe(0x21);
  rig.outb(0x20, 0x0b);
  expect(rig.inb(0x20)).toBe(0x12);
  rig.outb(0x20, 0x20);
  expect(pending(rig)).toBe(false);
  rig.outb(0x20, 0x20);
  expect(acknowledge(rig)).toBe(0x24);
});

test("the slave needs an EOI at both chips; the second request is not lost", () => {
  const rig = rigWithPic();
  pulse(rig, 9);
  pulse(rig, 10);
  expect(acknowledge(rig)).toBe(0x29);
  rig.outb(0xa0, 0x20);
  expect(pending(rig)).toBe(false);
  rig.outb(0x20, 0x20);
  expect(acknowledge(rig)).toBe(0x2a);
});

test("a mask hides, and an edge latched behind it comes out", () => {
  const rig = rigWithPic();
  rig.outb(0x21, 0x10);
  pulse(rig, 4);
  expect(pending(rig)).toBe(false);
  rig.outb(0x21, 0);
  expect(acknowledge(rig)).toBe(0x24);
});

test("a level that went away reads as the spurious line 7", () => {
  const rig = rigWithPic();
  rig.outb(0x4d1, 0x0c);
  rig.platform.interrupts.isaLine(10)(true);
  expect(pending(rig)).toBe(true);
  rig.platform.interrupts.isaLine(10)(false);
  expect(acknowledge(rig)).toBe(0x2f);
  expect(rig.platform.interrupts.pic.acknowledge()).toBe(0x27);
});

test("a level is asked again after the EOI for as long as it lasts", () => {
  const rig = rigWithPic();
  rig.outb(0x4d0, 0x20);
  rig.platform.interrupts.isaLine(5)(true);
  for (let time = 0; time < 2; time++) {
    expect(acknowledge(rig)).toBe(0x25);
    expect(pending(rig)).toBe(false);
    rig.outb(0x20, 0x20);
  }
  rig.platform.interrupts.isaLine(5)(false);
  expect(pending(rig)).toBe(false);
});

test("special mask mode lets lower lines in while a masked line is in service", () => {
  const rig = rigWithPic();
  pulse(rig, 3);
  acknowledge(rig);
  rig.outb(0x21, 0x08);
  rig.outb(0x20, 0x68);
  pulse(rig, 6);
  expect(acknowledge(rig)).toBe(0x26);
});

test("rotation makes the line just served the lowest", () => {
  const rig = rigWithPic();
  pulse(rig, 3);
  expect(acknowledge(rig)).toBe(0x23);
  rig.outb(0x20, 0xa0);
  pulse(rig, 3);
  pulse(rig, 4);
  expect(acknowledge(rig)).toBe(0x24);
});

test("ELCR keeps the lines of the timer, keyboard, cascade, clock and coprocessor edge-triggered", () => {
  const rig = makeRig();
  rig.outb(0x4d0, 0xff);
  rig.outb(0x4d1, 0xff);
  expect([rig.inb(0x4d0), rig.inb(0x4d1)]).toEqual([0xf8, 0xde]);
});
