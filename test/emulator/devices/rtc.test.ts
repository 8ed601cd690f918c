// The clock chip: time and calendar, formats, update cycle, alarm and periodic interrupts.
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromUnix, toUnix, weekday } from "../../../emulator/devices/calendar.ts";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

const SECOND = 1_000_000_000;

function cmos(rig: Rig, index: number): number {
  rig.outb(0x70, index);
  return rig.inb(0x71);
}
function setCmos(rig: Rig, index: number, value: number): void {
  rig.outb(0x70, index);
  rig.outb(0x71, value);
}
const time = (rig: Rig) => [0x32, 9, 8, 7, 4, 2, 0].map((index) => cmos(rig, index).toString(16));

test("the calendar agrees with the language's own", () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_208_988_800, max: 7_258_118_400 }), (seconds) => {
      const date = new Date(seconds * 1000);
      const ours = fromUnix(seconds);
      expect([ours.year, ours.month, ours.day, ours.hour, ours.minute, ours.second]).toEqual([
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]);
      expect(weekday(seconds)).toBe(date.getUTCDay() + 1);
      expect(toUnix(ours)).toBe(seconds);
    }),
    { seed: 20260101 },
  );
});

test("starts at 2026-01-01, a Thursday, in BCD, and runs", () => {
  const rig = makeRig();
  expect(time(rig)).toEqual(["20", "26", "1", "1", "0", "0", "0"]);
  expect(cmos(rig, 6)).toBe(5);
  rig.advance(86_399 * SECOND);
  expect(time(rig)).toEqual(["20", "26", "1", "1", "23", "59", "59"]);
  rig.advance(SECOND);
  expect(time(rig)).toEqual(["20", "26", "1", "2", "0", "0", "0"]);
});

test("binary and twelve-hour formats", () => {
  const rig = makeRig({ startTime: 1_767_225_600 + 13 * 3600 + 59 * 60 });
  setCmos(rig, 0x0b, 0x06);
  expect([cmos(rig, 4), cmos(rig, 2)]).toEqual([13, 59]);
  setCmos(rig, 0x0b, 0x00);
  expect([cmos(rig, 4), cmos(rig, 2)]).toEqual([0x81, 0x59]);
});

test("setting the time: SET stops the clock, and it goes on in phase", () => {
  const rig = makeRig();
  rig.advance(SECOND / 4);
  setCmos(rig, 0x0b, 0x82);
  for (const [index, value] of [
    [0x32, 0x20],
    [9, 0x31],
    [8, 0x12],
    [7, 0x31],
    [4, 0x23],
    [2, 0x59],
    [0, 0x58],
  ] as const) {
    setCmos(rig, index, value);
  }
  rig.advance(10 * SECOND);
  expect(time(rig)).toEqual(["20", "31", "12", "31", "23", "59", "58"]);
  setCmos(rig, 0x0b, 0x02);
  rig.advance((SECOND * 3) / 4 + SECOND);
  expect(time(rig)).toEqual(["20", "32", "1", "1", "0", "0", "0"]);
});

test("UIP is set for 244 microseconds before the second changes", () => {
  const rig = makeRig();
  rig.advance(SECOND - 250_000);
  expect(cmos(rig, 0x0a)).toBe(0x26);
  rig.advance(10_000);
  expect(cmos(rig, 0x0a)).toBe(0xa6);
  rig.advance(240_000);
  expect([cmos(rig, 0x0a), cmos(rig, 0)]).toEqual([0x26, 1]);
});

test("update interrupt: IRQ 8 each second, acknowledged by register C", () => {
  const rig = makeRig();
  initialisePic(rig, true);
  setCmos(rig, 0x0b, 0x12);
  rig.advance(SECOND - 1);
  expect(rig.platform.interrupts.pending()).toBe(false);
  rig.advance(1);
  expect(rig.platform.interrupts.acknowledge()).toBe(0x28);
  rig.advance(SECOND);
  expect(rig.platform.interrupts.pending()).toBe(false);
  expect(cmos(rig, 0x0c)).toBe(0xd0);
  expect(cmos(rig, 0x0c)).toBe(0);
  rig.advance(SECOND);
  expect(rig.platform.interrupts.acknowledge()).toBe(0x28);
});

test("periodic interrupt at 1024 Hz", () => {
  const rig = makeRig();
  initialisePic(rig, true);
  setCmos(rig, 0x0b, 0x42);
  let interrupts = 0;
  for (let step = 0; step < 2_000; step++) {
    rig.advance(500_000);
    if (!rig.platform.interrupts.pending()) continue;
    rig.platform.interrupts.acknowledge();
    expect(cmos(rig, 0x0c) & 0xc0).toBe(0xc0);
    interrupts++;
  }
  expect(interrupts).toBe(1024);
});

test("alarm: at its time of day, and each minute with don't-care fields", () => {
  const rig = makeRig();
  setCmos(rig, 5, 0x01);
  setCmos(rig, 3, 0x30);
  setCmos(rig, 1, 0x15);
  setCmos(rig, 0x0b, 0x22);
  expect(rig.platform.nextAlarm()).toBe((3600 + 30 * 60 + 15) * SECOND);
  setCmos(rig, 5, 0xff);
  setCmos(rig, 3, 0xc0);
  expect(rig.platform.nextAlarm()).toBe(15 * SECOND);
  rig.advance(15 * SECOND);
  expect(cmos(rig, 0x0c)).toBe(0xf0);
  expect(rig.platform.nextAlarm()).toBe(75 * SECOND);
});

test("no alarm is set while no interrupt is enabled", () => {
  const rig = makeRig();
  expect(rig.platform.nextAlarm()).toBe(Number.POSITIVE_INFINITY);
  rig.advance(3 * SECOND);
  expect(cmos(rig, 0x0c)).toBe(0x50);
});
