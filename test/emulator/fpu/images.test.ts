/** Saved images: FSAVE and FSTENV in their forms, and FXSAVE with AMD's rule for error pointers. */

import { beforeEach, describe, expect, test } from "vitest";
import { writeEnvironment } from "../../../emulator/fpu/image.ts";
import { RegisterStack } from "../../../emulator/fpu/register-stack.ts";
import { SSE_STATE_ROWS } from "../../../emulator/instructions/sse-state.ts";
import { X87_CONTROL_ROWS } from "../../../emulator/instructions/x87-control.ts";
import { BareCpu } from "./bare-cpu.ts";

const cpu = new BareCpu([...X87_CONTROL_ROWS, ...SSE_STATE_ROWS]);
const { state, memory } = cpu;
const code = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const bytes = (from: number, to: number): string =>
  Buffer.from(memory.buffer, from, to - from).toString("hex");

beforeEach(() => {
  for (let i = 0; i < 4096; i++) memory.setUint8(i, 0xcc);
  Object.assign(state, { fcw: 0x37f, fsw: 0x3800, ftw: 0xffff, fop: 0x123, mxcsr: 0x1f80 });
  Object.assign(state, { fip: 0x77n, fcs: 0, fdp: 0x1200n, fds: 0, rdi: 0n, xmm15: 5n });
  const stack = new RegisterStack(state);
  stack.set(0, { significand: 1n << 63n, signExponent: 0x3fff });
  stack.set(7, { significand: 0n, signExponent: 0 });
});

describe("FNSTENV", () => {
  test("32-bit, as a real CPU stored it", () => {
    state.fop = 0;
    expect(cpu.run(code("d937"))).toBe("");
    const stored = "7f03ffff0038ffffff1fffff7700000000000000001200000000ffff";
    expect(bytes(0, 32)).toBe(`${stored}cccccccc`);
  });

  test("16-bit, and all exceptions masked afterwards", () => {
    state.fcw = 0x340;
    expect(cpu.run(code("66d937"))).toBe("");
    expect(bytes(0, 16)).toBe("40030038ff1f7700000000120000cccc");
    expect(state.fcw).toBe(0x37f);
  });

  test("real mode holds linear addresses and the opcode", () => {
    Object.assign(state, { fcs: 0x1234, fip: 0x5678n, fds: 0xf000, fdp: 0xfff0n });
    const view = new DataView(new ArrayBuffer(14));
    writeEnvironment(state, { wide: false, real: true }, view);
    expect([6, 8, 10, 12].map((at) => view.getUint16(at, true))).toEqual([
      0x79b8, 0x1123, 0xfff0, 0xf000,
    ]);
  });
});

test("FNSAVE initialises, FRSTOR brings everything back", () => {
  const before = { ...state };
  const registers = (): string[] =>
    Array.from({ length: 8 }, (_, i) => String(new RegisterStack(state).get(i).signExponent));
  const held = registers();
  expect(cpu.run(code("dd37"))).toBe("");
  expect([state.fcw, state.fsw, state.ftw, state.fip]).toEqual([0x37f, 0, 0xffff, 0n]);
  expect(cpu.run(code("dd27"))).toBe("");
  const names = ["fcw", "fsw", "ftw", "fip", "fdp", "fop"] as const;
  expect(names.map((name) => state[name])).toEqual(names.map((name) => before[name]));
  expect(registers()).toEqual(held);
});

describe("FXSAVE", () => {
  test("leaves the error pointers' bytes alone while nothing is pending", () => {
    expect(cpu.run(code("480fae07"))).toBe("");
    expect(bytes(0, 32)).toBe(`7f030038c000${"cc".repeat(18)}801f0000ffff0000`);
    expect(cpu.load(32, 10)).toBe(0x3fff8000000000000000n);
    expect(cpu.load(160 + 15 * 16, 16)).toBe(5n);
    expect(bytes(416, 512)).toBe("cc".repeat(96));
  });

  test("stores them while an exception is pending, and FXRSTOR loads them", () => {
    Object.assign(state, { fcw: 0x37e, fsw: 0xb881 });
    expect(cpu.run(code("480fae07"))).toBe("");
    expect(cpu.load(6, 2)).toBe(0x123n);
    expect([cpu.load(8, 8), cpu.load(16, 8)]).toEqual([0x77n, 0x1200n]);
    Object.assign(state, { fip: 0n, fsw: 0, ftw: 0xffff, xmm15: 0n });
    expect(cpu.run(code("480fae0f"))).toBe("");
    expect([state.fip, state.fsw, state.ftw, state.xmm15]).toEqual([0x77n, 0xb881, 0x1fff, 5n]);
  });

  test("must be aligned, and MXCSR must have no reserved bits", () => {
    expect(cpu.run(code("0fae4708"))).toBe("GP");
    expect(cpu.run(code("0fae07"))).toBe("");
    cpu.store(24, 4, 0x1_0000n);
    expect(cpu.run(code("0fae0f"))).toBe("GP");
    expect(cpu.run(code("0fae5718"))).toBe("GP");
    cpu.store(24, 4, 0x1fa0n);
    expect(cpu.run(code("0fae5718"))).toBe("");
    expect(state.mxcsr).toBe(0x1fa0);
  });

  test("without CR4.OSFXSR neither XMM registers nor MXCSR", () => {
    state.cr4 = 0n;
    expect(cpu.run(code("0fae07"))).toBe("");
    state.cr4 = 0x620n;
    expect(bytes(24, 32) + bytes(160, 176)).toBe("cc".repeat(24));
  });
});
