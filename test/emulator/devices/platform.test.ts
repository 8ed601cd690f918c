// The platform as a whole: order of alarms, hand-over state, and save/restore of every chip at work.
import { expect, test } from "vitest";
import { AlarmQueue } from "../../../emulator/devices/alarm-queue.ts";
import type { Device } from "../../../emulator/devices/device.ts";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

test("alarms go off by tick, then device, then name; those set meanwhile too", () => {
  let changes = 0;
  const queue = new AlarmQueue(
    () => 0,
    () => {
      changes++;
    },
  );
  const [a, b] = [queue.clockFor("a"), queue.clockFor("b")];
  const log: string[] = [];
  const attach = (name: string, onAlarm: (alarm: string) => void) =>
    queue.attach({ name, onAlarm, reset() {}, restore() {}, save: () => ({}) } satisfies Device);
  attach("a", (alarm) => log.push(`a.${alarm}`));
  attach("b", (alarm) => {
    log.push(`b.${alarm}`);
    if (alarm === "early") a.setAlarm("chained", 5);
  });
  b.setAlarm("y", 10);
  b.setAlarm("x", 10);
  a.setAlarm("z", 10);
  b.setAlarm("early", 5);
  b.setAlarm("gone", 7);
  b.clearAlarm("gone");
  a.setAlarm("late", 11);
  expect(queue.next()).toBe(5);
  queue.run(10);
  expect(log).toEqual(["b.early", "a.chained", "a.z", "b.x", "b.y"]);
  expect(queue.next()).toBe(11);
  expect(changes).toBe(3);
});

test("an alarm that sets itself at the same tick for ever is reported", () => {
  const queue = new AlarmQueue(
    () => 0,
    () => {},
  );
  const clock = queue.clockFor("loop");
  const again = { name: "loop", reset() {}, restore() {}, save: () => ({}) };
  queue.attach({ ...again, onAlarm: () => clock.setAlarm("x", 0) });
  clock.setAlarm("x", 0);
  expect(() => queue.run(0)).toThrow("loop sets its alarm without end");
});

test("firmware hands over a masked PIC at vectors 8 and 0x70, a running timer, the APIC on", () => {
  const rig = makeRig();
  rig.platform.setUpAsFirmware();
  expect([rig.inb(0x21), rig.inb(0xa1)]).toEqual([0xff, 0xff]);
  expect(rig.readl(0xfee0_00f0)).toBe(0x1ff);
  expect(rig.readl(0xfee0_0350)).toBe(0x8700);
  expect(rig.inb(0x64)).toBe(0x1c);
  rig.outb(0x21, 0xfe);
  expect(rig.platform.interrupts.acknowledge()).toBe(8);
});

/** A fixed pseudo-random sequence (Lehmer). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const PORTS = [
  [0x20, 2],
  [0xa0, 2],
  [0x40, 4],
  [0x60, 2],
  [0x64, 1],
  [0x70, 2],
  [0x3f8, 8],
  [0x2f8, 8],
  [0x600, 4],
  [0x608, 1],
  [0xcf8, 8],
  [0x00, 16],
  [0x80, 16],
] as const;

/** Uses the machine at random and gives all that could be seen of it. */
function work(rig: Rig, seed: number, steps: number): unknown[] {
  const next = numbers(seed);
  const seen: unknown[] = [];
  for (let step = 0; step < steps; step++) {
    const [first, count] = PORTS[next(PORTS.length)]!;
    const port = first + next(count);
    if (next(2)) rig.outb(port, next(256));
    else seen.push(rig.inb(port));
    const register = 0xfee0_0000 + 16 * next(64);
    if (next(2)) rig.writel(register, next(2 ** 31 - 1));
    else seen.push(rig.readl(register));
    rig.writel(0xfec0_0000, 0x10 + next(48));
    if (next(2)) rig.writel(0xfec0_0010, next(0x1_0000));
    if (next(8) === 0) rig.platform.serialInput(next(2) as 0 | 1, [next(256), next(256)]);
    if (next(8) === 0) rig.platform.keyboard.receiveKeys([next(128)]);
    if (next(3) === 0 && rig.platform.interrupts.pending()) {
      seen.push(rig.platform.interrupts.acknowledge());
    }
    rig.advance(next(2_000_000));
    seen.push(rig.platform.nextAlarm());
  }
  seen.push(
    rig.consoles,
    rig.platform.devices.map((device) => device.describe?.()),
  );
  return seen;
}

test("save in the middle of activity, restore into a new platform: the same from there on", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const rig = makeRig();
    initialisePic(rig, true);
    work(rig, seed, 150);
    const saved = structuredClone(rig.platform.save());
    const other = makeRig({ now: rig.now() });
    work(other, seed + 1000, 20);
    const copy = makeRig({ now: rig.now() });
    copy.platform.restore(saved);
    expect(copy.platform.save()).toEqual(saved);
    for (const text of Object.values(rig.consoles)) text.length = 0;
    expect(work(copy, seed + 2000, 150)).toEqual(work(rig, seed + 2000, 150));
    expect(copy.platform.save()).toEqual(rig.platform.save());
    for (const device of rig.platform.devices) expect(saved).toHaveProperty(device.name);
  }
});

test("a saved state shares nothing with the live chips, and reset gives the power-on state", () => {
  const rig = makeRig();
  const fresh = rig.platform.save();
  const kept = structuredClone(fresh);
  work(rig, 7, 100);
  expect(fresh).toEqual(kept);
  rig.platform.restore(fresh);
  rig.platform.reset();
  expect(rig.platform.save().pic).toEqual(kept.pic);
  expect(rig.platform.save()["local-apic"]).toEqual(kept["local-apic"]);
});

test("device names are unique and every device has a clock's name", () => {
  const names = makeRig().platform.devices.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of ["local-apic", "pit", "rtc", "com1", "com2", "acpi-pm"]) {
    expect(names).toContain(name);
  }
});
