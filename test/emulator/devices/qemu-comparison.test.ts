// Our chips against QEMU's, register by register, over random programs of accesses.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Access, onQemu } from "./qemu-ports.ts";
import { makeRig, type Rig } from "./rig.ts";

function perform(rig: Rig, access: Access): number | undefined {
  if (access.kind === "in") return rig.ports.read(access.port, access.size ?? 1);
  if (access.kind === "read") return rig.readl(access.address);
  if (access.kind === "out") rig.ports.write(access.port, access.size ?? 1, access.value);
  else rig.writel(access.address, access.value);
  return undefined;
}

function onOurs(accesses: readonly Access[]): (number | undefined)[] {
  const rig = makeRig();
  return accesses.map((access) => perform(rig, access));
}

/** Compares, and shows what led to the first difference. */
function compare(accesses: readonly Access[]): void {
  const theirs = onQemu(accesses);
  const ours = onOurs(accesses);
  const first = accesses.findIndex((access, i) => {
    const mask = access.kind === "in" ? (access.mask ?? -1) : -1;
    return ((theirs[i] ?? 0) & mask) !== ((ours[i] ?? 0) & mask);
  });
  const hex = (value: number | undefined) => `0x${(value ?? 0).toString(16)}`;
  const text = (access: Access) =>
    `${access.kind} ${hex("port" in access ? access.port : access.address)} ${
      "value" in access ? hex(access.value) : ""
    }`;
  const story = accesses.slice(Math.max(first - 40, 0), first + 1).map(text);
  expect(first, `QEMU ${hex(theirs[first])} ours ${hex(ours[first])}\n${story.join("\n")}`).toBe(
    -1,
  );
}

const out = (port: number, value: number): Access => ({ kind: "out", port, value });
const input = (port: number): Access => ({ kind: "in", port });

/** The same programs on every run. */
function programs(of: fc.Arbitrary<readonly Access[]>, count: number): Access[] {
  return fc.sample(of, { numRuns: count, seed: 20260101 }).flat();
}

const byte = fc.integer({ min: 0, max: 255 });

test("8259 pair: initialisation, masks, priorities, poll", () => {
  const chip = fc.constantFrom(0x20, 0xa0);
  const line = fc.boolean();
  const timerLow = [out(0x43, 0x30), out(0x40, 0), out(0x40, 0)];
  const timerHigh = [out(0x43, 0x36), out(0x40, 0), out(0x40, 0)];
  const step = fc.oneof(
    fc.tuple(chip, byte).map(([port, mask]) => [out(port + 1, mask)]),
    fc
      .tuple(chip, fc.constantFrom(0x0a, 0x0b, 0x48, 0x68, 0x0c))
      .map(([port, word]) => [out(port, word)]),
    fc
      .tuple(chip, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 }))
      .map(([port, command, level]) => [out(port, (command << 5) | level)]),
    fc.tuple(fc.constantFrom(1, 3, 0x11, 0x13), byte, byte).map(([icw4, elcr, elcr2]) => [
      // With all lines low: QEMU takes a line that stays high for a new edge after ICW1, and keeps
      // an edge that it latched when the ELCR makes its line a level.
      ...[...timerLow, out(0x3f9, 0), out(0x2f9, 0), input(0x60)],
      ...[out(0xa0, 0x11), out(0xa1, 0x28), out(0xa1, 2), out(0xa1, icw4)],
      ...[out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, icw4)],
      ...[out(0x4d0, elcr), out(0x4d1, elcr2)],
    ]),
    // IRQ 0 by OUT of the timer, 3 and 4 by the transmit interrupt, 12 by a byte from the mouse.
    line.map((high) => (high ? timerHigh : timerLow)),
    line.map((high) => [out(0x3f9, high ? 2 : 0)]),
    line.map((high) => [out(0x2f9, high ? 2 : 0)]),
    line.map((high) => [input(0x60), ...(high ? [out(0x64, 0xd3), out(0x60, 0x55)] : [])]),
    chip.map((port) => [input(port)]),
    chip.map((port) => [input(port)]),
    chip.map((port) => [input(port + 1), input(port === 0x20 ? 0x4d0 : 0x4d1)]),
  );
  compare(programs(step, 4000));
});

test("16550A: registers, loopback, FIFO, interrupt identification", () => {
  const step = fc.oneof(
    fc
      .tuple(fc.constantFrom(0, 2, 3, 4, 7), byte)
      .map(([offset, value]) => [out(0x3f8 + offset, value)]),
    // QEMU has no changes of the modem lines in loopback, so their interrupt and bits are left out.
    byte.map((value) => [out(0x3fb, 3), out(0x3f9, value & 7)]),
    byte.map((value) => [
      out(0x3fc, value),
      { kind: "in", port: 0x3fe, mask: 0xf0 } satisfies Access,
    ]),
    byte.map((value) => [out(0x3fb, 3), out(0x3f8, value)]),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 7).map((offset) => [input(0x3f8 + offset)]),
    fc.constant([input(0x3fa), input(0x3fd)]),
  );
  compare(programs(step, 4000));
});

test("8254: control words, access modes, latches", () => {
  const counter = fc.integer({ min: 0, max: 2 });
  const step = fc.oneof(
    counter.map((index) => [out(0x43, index << 6)]),
    // Latched counts are read first: QEMU keeps them when the counter is programmed anew.
    fc
      .tuple(counter, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 5 }))
      .map(([index, access, mode]) => [
        ...[input(0x40 + index), input(0x40 + index)],
        out(0x43, (index << 6) | (access << 4) | (mode << 1)),
      ]),
    fc.tuple(counter, byte).map(([index, value]) => [out(0x40 + index, value)]),
    counter.map((index) => [input(0x40 + index)]),
    fc.constantFrom(0, 1, 2, 3).map((value) => [out(0x61, value)]),
  );
  const start = [0x34, 0x74, 0xb4].flatMap((word) => [
    out(0x43, word),
    out(0x40 + (word >> 6), 0x34),
    out(0x40 + (word >> 6), 0x12),
  ]);
  compare([...start, ...programs(step, 4000)]);
});

test("8042: commands, replies, keyboard and mouse", () => {
  const plain = [0x20, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xc0, 0xd0, 0xdd, 0xdf];
  const step = fc.oneof(
    fc.constantFrom(...plain).map((command) => [out(0x64, command), input(0x64), input(0x60)]),
    byte.map((value) => [out(0x64, 0x60), out(0x60, value & 0x73)]),
    fc
      .tuple(fc.constantFrom(0xd2, 0xd3), byte)
      .map(([c, v]) => [out(0x64, c), out(0x60, v), input(0x64), input(0x60)]),
    fc.constant([input(0x64), input(0x60), input(0x64)]),
    fc.constant([input(0x60)]),
  );
  compare(programs(step, 3000));
});

test("CMOS: memory sizes and scratch bytes", () => {
  const accesses: Access[] = [];
  for (const index of [0x0a, 0x0b, 0x0d, 0x15, 0x16, 0x17, 0x18, 0x30, 0x31, 0x34, 0x35]) {
    accesses.push(out(0x70, index), input(0x71));
  }
  compare(accesses);
});

test("I/O APIC: identification, redirection table", () => {
  const window = 0xfec0_0000;
  const select = fc.integer({ min: 0, max: 0x42 });
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  const write = (address: number, value: number): Access => ({ kind: "write", address, value });
  const step = fc.oneof(
    select.map((index) => [
      write(window, index),
      { kind: "read", address: window + 0x10 } as const,
    ]),
    // Masked entries only: an interrupt would go to QEMU's CPU.
    fc
      .tuple(select, word)
      .map(([index, value]) => [
        write(window, index),
        write(window + 0x10, (value & 0xffff) | 0x1_0000),
      ]),
  );
  compare(programs(step, 1500));
});

test("PCI host bridge: identification and the empty slots after the chip set", () => {
  const accesses: Access[] = [];
  for (const address of [0x8000_0000, 0x8000_0008, 0x8000_000c, 0x8000_f800, 0x8001_0000, 0]) {
    accesses.push({ kind: "out", port: 0xcf8, value: address, size: 4 });
    accesses.push({ kind: "in", port: 0xcfc, size: 4 }, { kind: "in", port: 0xcf8, size: 4 });
    accesses.push({ kind: "in", port: 0xcfe, size: 2 }, { kind: "in", port: 0xcfd, size: 1 });
  }
  compare(accesses);
});
