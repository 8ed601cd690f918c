// The 8254: waveforms of each mode by the data sheet, latches, the gate in port 0x61.
import { expect, test } from "vitest";
import {
  counterPowerOn,
  load,
  nextChange,
  outputAt,
  setGate,
  valueAt,
} from "../../../emulator/devices/pit-counter.ts";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

/** OUT for each cycle after the count was loaded. */
function wave(mode: number, count: number, cycles: number): string {
  const counter = { ...counterPowerOn(), mode };
  load(counter, count, 100);
  if (mode === 1 || mode === 5) {
    setGate(counter, false, 100);
    setGate(counter, true, 100);
  }
  return Array.from({ length: cycles }, (_, i) => (outputAt(counter, 100 + i) ? "1" : "0")).join(
    "",
  );
}

test("waveforms", () => {
  expect(wave(0, 4, 8)).toBe("00001111");
  expect(wave(1, 4, 8)).toBe("00001111");
  expect(wave(2, 4, 12)).toBe("111011101110");
  expect(wave(3, 4, 12)).toBe("110011001100");
  expect(wave(3, 5, 10)).toBe("1110011100");
  expect(wave(4, 4, 8)).toBe("11110111");
  expect(wave(5, 4, 8)).toBe("11110111");
});

test("the next change of OUT is where the wave says", () => {
  for (const mode of [0, 2, 3, 4]) {
    const counter = { ...counterPowerOn(), mode };
    load(counter, 5, 0);
    for (let cycle = 0; cycle < 20; cycle++) {
      const next = nextChange(counter, cycle);
      let search = cycle + 1;
      while (search < 40 && outputAt(counter, search) === outputAt(counter, search - 1)) search++;
      expect(next, `mode ${mode} from ${cycle}`).toBe(
        search === 40 ? Number.POSITIVE_INFINITY : search,
      );
    }
  }
});

test("values: binary, decimal, mode 3 by twos", () => {
  const counter = { ...counterPowerOn(), mode: 2 };
  load(counter, 0, 0);
  expect(valueAt(counter, 1)).toBe(0xffff);
  const decimal = { ...counterPowerOn(), mode: 2, bcd: true };
  load(decimal, 0x1000, 0);
  expect(valueAt(decimal, 1)).toBe(0x0999);
  const square = { ...counterPowerOn(), mode: 3 };
  load(square, 10, 0);
  expect([0, 1, 2, 5].map((cycle) => valueAt(square, cycle))).toEqual([10, 8, 6, 10]);
});

test("the gate pauses mode 0 and restarts mode 2", () => {
  const counter = { ...counterPowerOn(), mode: 0 };
  load(counter, 10, 0);
  setGate(counter, false, 4);
  expect(outputAt(counter, 50)).toBe(false);
  setGate(counter, true, 50);
  expect(outputAt(counter, 55)).toBe(false);
  expect(outputAt(counter, 56)).toBe(true);
  const rate = { ...counterPowerOn(), mode: 2 };
  load(rate, 10, 0);
  setGate(rate, false, 4);
  setGate(rate, true, 50);
  expect(valueAt(rate, 51)).toBe(9);
});

/** Programs counter 0 as Linux does: mode 2 at 250 Hz. */
function startTicks(rig: Rig): void {
  rig.outb(0x43, 0x34);
  rig.outb(0x40, 4772 & 0xff);
  rig.outb(0x40, 4772 >> 8);
}

test("IRQ 0 comes 250 times a second", () => {
  const rig = makeRig();
  initialisePic(rig);
  startTicks(rig);
  rig.platform.interrupts.acknowledge();
  rig.outb(0x20, 0x20);
  let ticks = 0;
  for (let step = 0; step < 10_000; step++) {
    rig.advance(100_000);
    if (!rig.platform.interrupts.pending()) continue;
    expect(rig.platform.interrupts.acknowledge()).toBe(0x20);
    rig.outb(0x20, 0x20);
    ticks++;
  }
  expect(ticks).toBe(250);
});

test("alarms that run late lose no edge", () => {
  const rig = makeRig();
  initialisePic(rig, true);
  startTicks(rig);
  rig.platform.interrupts.acknowledge();
  const due = rig.platform.nextAlarm();
  rig.platform.runAlarms(due + 2_000);
  expect(rig.platform.interrupts.pending()).toBe(true);
});

test("one shot (mode 0): a single interrupt at the end of the count", () => {
  const rig = makeRig();
  initialisePic(rig, true);
  rig.outb(0x43, 0x30);
  rig.outb(0x40, 0xe8);
  rig.outb(0x40, 0x03);
  expect(rig.platform.nextAlarm()).toBe(Math.ceil((1000 * 1e9) / 1_193_182));
  rig.advance(838_000);
  expect(rig.platform.interrupts.pending()).toBe(false);
  rig.advance(1_000);
  expect(rig.platform.interrupts.acknowledge()).toBe(0x20);
  expect(rig.platform.nextAlarm()).toBe(Number.POSITIVE_INFINITY);
});

test("counter 2 behind its gate: the delay loop of boot code sees OUT in port 0x61", () => {
  const rig = makeRig();
  rig.outb(0x61, 1);
  rig.outb(0x43, 0xb0);
  rig.outb(0x42, 0xff);
  rig.outb(0x42, 0xff);
  expect(rig.inb(0x61) & 0x21).toBe(0x01);
  rig.advance(54_924_000);
  expect(rig.inb(0x61) & 0x20).toBe(0);
  rig.advance(1_000);
  expect(rig.inb(0x61) & 0x20).toBe(0x20);
});

test("read-back latches status (OUT, null count, mode) and count", () => {
  const rig = makeRig();
  rig.outb(0x43, 0x34);
  rig.outb(0x43, 0xe2);
  expect(rig.inb(0x40)).toBe(0xf4);
  rig.outb(0x40, 0x10);
  rig.outb(0x40, 0x00);
  rig.outb(0x43, 0xc2);
  rig.advance(1_000_000);
  expect([rig.inb(0x40), rig.inb(0x40), rig.inb(0x40)]).toEqual([0xb4, 0x10, 0x00]);
});

test("the refresh bit toggles every 15 microseconds", () => {
  const rig = makeRig();
  let toggles = 0;
  for (let last = rig.inb(0x61) & 16, i = 0; i < 1_000; i++) {
    rig.advance(1_000);
    const bit = rig.inb(0x61) & 16;
    if (bit !== last) toggles++;
    last = bit;
  }
  expect(toggles).toBe(66);
});
