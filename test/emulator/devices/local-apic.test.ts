// The local APIC: priorities, timer, ICR, LINT0, the two modes; and the I/O APIC in front of it.
import { expect, test } from "vitest";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

const APIC = 0xfee0_0000;
const IO = 0xfec0_0000;
const interrupts = (rig: Rig) => rig.platform.interrupts;

function enabledApic(): Rig {
  const rig = makeRig();
  rig.writel(APIC + 0xf0, 0x1ff);
  return rig;
}
const sendSelf = (rig: Rig, vector: number) => rig.writel(APIC + 0x300, 0x4_0000 | vector);
function redirect(rig: Rig, input: number, low: number, destination = 0): void {
  rig.writel(IO, 0x11 + 2 * input);
  rig.writel(IO + 0x10, destination << 24);
  rig.writel(IO, 0x10 + 2 * input);
  rig.writel(IO + 0x10, low);
}
function redirection(rig: Rig, input: number): number {
  rig.writel(IO, 0x10 + 2 * input);
  return rig.readl(IO + 0x10);
}

test("identification and power-on state", () => {
  const rig = makeRig();
  expect(rig.readl(APIC + 0x20)).toBe(0);
  expect(rig.readl(APIC + 0x30)).toBe(0x0005_0014);
  expect(rig.readl(APIC + 0xf0)).toBe(0xff);
  expect(rig.readl(APIC + 0xe0)).toBe(0xffff_ffff);
  expect([0x320, 0x350, 0x360].map((at) => rig.readl(APIC + at))).toEqual([
    0x1_0000, 0x700, 0x1_0000,
  ]);
});

test("the highest vector first; one in service holds back its class", () => {
  const rig = enabledApic();
  for (const vector of [0x31, 0x45, 0x42]) sendSelf(rig, vector);
  expect(interrupts(rig).acknowledge()).toBe(0x45);
  expect(rig.readl(APIC + 0xa0)).toBe(0x40);
  expect(interrupts(rig).pending()).toBe(false);
  sendSelf(rig, 0x51);
  expect(interrupts(rig).acknowledge()).toBe(0x51);
  for (const next of [undefined, 0x42, 0x31]) {
    rig.writel(APIC + 0xb0, 0);
    if (next) expect(interrupts(rig).acknowledge()).toBe(next);
  }
});

test("the task priority, by CR8 or TPR, holds back its class and lower ones", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x350, 0x1_0700);
  interrupts(rig).setTaskPriority(4);
  expect(rig.readl(APIC + 0x80)).toBe(0x40);
  sendSelf(rig, 0x4f);
  expect(interrupts(rig).pending()).toBe(false);
  expect(interrupts(rig).acknowledge()).toBe(0xff);
  rig.writel(APIC + 0x80, 0x3f);
  expect(interrupts(rig).getTaskPriority()).toBe(3);
  expect(interrupts(rig).acknowledge()).toBe(0x4f);
});

test("timer: one shot and periodic, counting at the divided rate of a nanosecond", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x3e0, 0x3);
  rig.writel(APIC + 0x320, 0x40);
  rig.writel(APIC + 0x380, 1000);
  rig.advance(15_999);
  expect(rig.readl(APIC + 0x390)).toBe(1);
  expect(interrupts(rig).pending()).toBe(false);
  rig.advance(1);
  expect(rig.readl(APIC + 0x390)).toBe(0);
  expect(interrupts(rig).acknowledge()).toBe(0x40);
  expect(rig.platform.nextAlarm()).toBe(Number.POSITIVE_INFINITY);
  rig.writel(APIC + 0xb0, 0);
  rig.writel(APIC + 0x3e0, 0xb);
  rig.writel(APIC + 0x320, 0x2_0040);
  rig.writel(APIC + 0x380, 500);
  for (let period = 0; period < 3; period++) {
    rig.advance(500);
    expect(interrupts(rig).acknowledge()).toBe(0x40);
    rig.writel(APIC + 0xb0, 0);
  }
  rig.advance(100);
  expect(rig.readl(APIC + 0x390)).toBe(400);
});

test("a masked timer counts without interrupting; a count of 0 stops it", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x3e0, 0xb);
  rig.writel(APIC + 0x320, 0x3_0040);
  rig.writel(APIC + 0x380, 500);
  rig.advance(750);
  expect(rig.readl(APIC + 0x390)).toBe(250);
  rig.writel(APIC + 0x320, 0x2_0040);
  rig.advance(250);
  expect(interrupts(rig).pending()).toBe(true);
  rig.writel(APIC + 0x380, 0);
  expect(rig.platform.nextAlarm()).toBe(Number.POSITIVE_INFINITY);
});

test("every divide configuration", () => {
  const rig = enabledApic();
  const expected = { 0: 2, 1: 4, 2: 8, 3: 16, 8: 32, 9: 64, 10: 128, 11: 1 };
  for (const [code, divisor] of Object.entries(expected)) {
    rig.writel(APIC + 0x3e0, Number(code));
    rig.writel(APIC + 0x380, 10);
    rig.advance(3 * divisor);
    expect(rig.readl(APIC + 0x390)).toBe(7);
  }
});

test("software disable masks the local entries and drops messages", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x320, 0x40);
  rig.writel(APIC + 0xf0, 0xff);
  expect(rig.readl(APIC + 0x320)).toBe(0x1_0040);
  rig.writel(APIC + 0x320, 0x40);
  expect(rig.readl(APIC + 0x320)).toBe(0x1_0040);
  sendSelf(rig, 0x50);
  expect(rig.readl(APIC + 0x220)).toBe(0);
});

test("illegal vectors show in ESR after it is written", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x370, 0xfe);
  sendSelf(rig, 5);
  expect(rig.readl(APIC + 0x280)).toBe(0);
  rig.writel(APIC + 0x280, 0);
  expect(rig.readl(APIC + 0x280)).toBe(0x20);
  expect(interrupts(rig).acknowledge()).toBe(0xfe);
});

test("messages to other CPUs and start-up messages are ignored, NMI is passed on", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0x310, 0x0100_0000);
  rig.writel(APIC + 0x300, 0x0045);
  rig.writel(APIC + 0x300, 0xc0045);
  rig.writel(APIC + 0x300, 0x4600);
  expect(interrupts(rig).pending()).toBe(false);
  rig.writel(APIC + 0x310, 0);
  rig.writel(APIC + 0x300, 0x0400);
  expect(rig.counts.nmi).toBe(1);
});

test("logical destinations: flat and cluster", () => {
  const rig = enabledApic();
  rig.writel(APIC + 0xd0, 0x2200_0000);
  const arrives = (destination: number) => {
    rig.writel(APIC + 0x310, destination << 24);
    rig.writel(APIC + 0x300, 0x0860);
    if (!interrupts(rig).pending()) return false;
    interrupts(rig).acknowledge();
    rig.writel(APIC + 0xb0, 0);
    return true;
  };
  expect([0x20, 0x02, 0x11, 0xff].map(arrives)).toEqual([true, true, false, true]);
  rig.writel(APIC + 0xe0, 0x0fff_ffff);
  expect([0x22, 0x12, 0x21, 0x23].map(arrives)).toEqual([true, false, false, true]);
});

test("LINT0: ExtINT lets the PIC through, masked stops it, fixed delivers its own vector", () => {
  const rig = enabledApic();
  initialisePic(rig, true);
  const irq1 = interrupts(rig).isaLine(1);
  irq1(true);
  expect(interrupts(rig).acknowledge()).toBe(0x21);
  irq1(false);
  rig.writel(APIC + 0x350, 0x1_0700);
  irq1(true);
  expect(interrupts(rig).pending()).toBe(false);
  rig.writel(APIC + 0x350, 0x700);
  expect(interrupts(rig).acknowledge()).toBe(0x21);
  irq1(false);
  rig.writel(APIC + 0x350, 0x31);
  irq1(true);
  expect(interrupts(rig).acknowledge()).toBe(0x31);
});

test("the APIC goes before the PIC", () => {
  const rig = enabledApic();
  initialisePic(rig, true);
  interrupts(rig).isaLine(1)(true);
  sendSelf(rig, 0x30);
  expect([interrupts(rig).acknowledge(), interrupts(rig).acknowledge()]).toEqual([0x30, 0x21]);
});

test("I/O APIC edges: IRQ 0 arrives on input 2; masked edges are lost", () => {
  const rig = enabledApic();
  rig.outb(0x21, 0xff);
  redirect(rig, 2, 0x1_0030);
  redirect(rig, 4, 0x34);
  const irq0 = interrupts(rig).isaLine(0);
  irq0(true);
  irq0(false);
  redirect(rig, 2, 0x30);
  expect(interrupts(rig).pending()).toBe(false);
  irq0(true);
  expect(interrupts(rig).acknowledge()).toBe(0x30);
  rig.writel(APIC + 0xb0, 0);
  irq0(false);
  expect(interrupts(rig).pending()).toBe(false);
});

test("I/O APIC levels: remote IRR until the EOI, then again while the line is high", () => {
  const rig = enabledApic();
  rig.outb(0x21, 0xff);
  redirect(rig, 9, 0x8039);
  const irq9 = interrupts(rig).isaLine(9);
  irq9(true);
  expect(redirection(rig, 9)).toBe(0xc039);
  expect(interrupts(rig).acknowledge()).toBe(0x39);
  rig.writel(APIC + 0xb0, 0);
  expect(interrupts(rig).acknowledge()).toBe(0x39);
  irq9(false);
  rig.writel(APIC + 0xb0, 0);
  expect(redirection(rig, 9)).toBe(0x8039);
  expect(interrupts(rig).pending()).toBe(false);
});

test("modes: only the allowed steps, and the registers of each", () => {
  const rig = enabledApic();
  const { localApic } = interrupts(rig);
  expect(localApic.getApicBase()).toBe(0xfee0_0900n);
  expect(localApic.readMsr(0x802)).toBeUndefined();
  expect(localApic.setApicBase(0xfee0_0500n)).toBe(false);
  expect(localApic.setApicBase(0xfee0_0900n | 1n)).toBe(false);
  expect(localApic.setApicBase(0xfee0_0d00n)).toBe(true);
  expect(rig.readl(APIC + 0x30)).toBe(0xffff_ffff);
  expect([0x802, 0x803, 0x80d].map((msr) => localApic.readMsr(msr))).toEqual([0n, 0x5_0014n, 1n]);
  expect(localApic.writeMsr(0x802, 0n)).toBe(false);
  expect(localApic.writeMsr(0x80b, 1n)).toBe(false);
  expect(localApic.readMsr(0x80e)).toBeUndefined();
  expect(localApic.readMsr(0x804)).toBeUndefined();
  expect(localApic.writeMsr(0x83f, 0x52n)).toBe(true);
  expect(interrupts(rig).acknowledge()).toBe(0x52);
  expect(localApic.writeMsr(0x80b, 0n)).toBe(true);
  expect(localApic.writeMsr(0x830, (1n << 32n) | 0x853n)).toBe(true);
  expect(interrupts(rig).acknowledge()).toBe(0x53);
  expect(localApic.setApicBase(0xfee0_0900n)).toBe(false);
  expect(localApic.setApicBase(0xfee0_0100n)).toBe(true);
  expect(interrupts(rig).pending()).toBe(false);
  expect(localApic.setApicBase(0xfee0_0900n)).toBe(true);
});
