/** Replays what a real CPU did with x87 instructions, whole instructions from their bytes. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { RegisterStack, TOP_SHIFT } from "../../../emulator/fpu/register-stack.ts";
import { MMX_ROWS } from "../../../emulator/instructions/mmx.ts";
import { X87_ARITHMETIC_ROWS } from "../../../emulator/instructions/x87-arithmetic.ts";
import { X87_COMPARE_ROWS } from "../../../emulator/instructions/x87-compare.ts";
import { X87_CONTROL_ROWS } from "../../../emulator/instructions/x87-control.ts";
import { X87_LOAD_ROWS } from "../../../emulator/instructions/x87-load.ts";
import { X87_TRANSCENDENTAL_ROWS } from "../../../emulator/instructions/x87-transcendental.ts";
import { getRflags, setRflags } from "../../../emulator/state/flags.ts";
import { BareCpu } from "./bare-cpu.ts";

const RECORD = 142;
/** Offsets in a record of what goes in and what comes out: control, registers, memory, AX. */
const IN = { control: 16, registers: 22, memory: 62 } as const;
const OUT = { control: 78, registers: 84, memory: 124, ax: 140 } as const;
/** Stack positions, counted from the top before the instruction, that a record holds. */
const KEPT = [0, 1, 2, 7];

const cpu = new BareCpu([
  ...X87_ARITHMETIC_ROWS,
  ...X87_COMPARE_ROWS,
  ...X87_CONTROL_ROWS,
  ...X87_LOAD_ROWS,
  ...X87_TRANSCENDENTAL_ROWS,
  ...MMX_ROWS,
]);
const { state } = cpu;
const stack = new RegisterStack(state);

const hexOf = (bytes: Uint8Array): string =>
  [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

function tenBytes(view: DataView, at: number): string {
  const significand = view.getBigUint64(at, true).toString(16).padStart(16, "0");
  return `${view
    .getUint16(at + 8, true)
    .toString(16)
    .padStart(4, "0")}:${significand}`;
}

function describeState(
  view: DataView,
  at: { control: number; registers: number; memory: number },
): string {
  const word = (offset: number): string =>
    view
      .getUint16(at.control + offset, true)
      .toString(16)
      .padStart(4, "0");
  const tags = view
    .getUint8(at.control + 4)
    .toString(16)
    .padStart(2, "0");
  const flags = view.getUint8(at.control + 5).toString(16);
  const registers = KEPT.map((_, i) => tenBytes(view, at.registers + 10 * i)).join(" ");
  const memory = hexOf(new Uint8Array(view.buffer, view.byteOffset + at.memory, 16));
  return `cw ${word(0)} sw ${word(2)} tags ${tags} flags ${flags} ${registers} ${memory}`;
}

function setUp(view: DataView): number {
  state.fcw = view.getUint16(IN.control, true);
  state.fsw = view.getUint16(IN.control + 2, true);
  const tags = view.getUint8(IN.control + 4);
  const top = (state.fsw >> TOP_SHIFT) & 7;
  for (let i = 0; i < 8; i++) {
    stack.set(i, { significand: 1n << 63n, signExponent: 0x3fff });
  }
  KEPT.forEach((position, i) => {
    const at = IN.registers + 10 * i;
    stack.set(position, {
      significand: view.getBigUint64(at, true),
      signExponent: view.getUint16(at + 8, true),
    });
  });
  for (let i = 0; i < 8; i++) if (((tags >> ((top + i) & 7)) & 1) === 0) stack.free(i);
  for (let i = 0; i < 16; i++) cpu.memory.setUint8(i, view.getUint8(IN.memory + i));
  setRflags(state, BigInt(view.getUint8(IN.control + 5)) | 0x202n);
  state.rdi = 0n;
  state.rax = 0n;
  return top;
}

/** Our outcome in the form of a record's. */
function outcome(view: DataView): DataView {
  const top = setUp(view);
  const code = new Uint8Array(view.buffer, view.byteOffset + 1, view.getUint8(0));
  const trap = cpu.run(code);
  if (trap !== "") throw new Error(`${hexOf(code)} ended in #${trap}`);
  const out = new DataView(new ArrayBuffer(RECORD));
  out.setUint16(OUT.control, state.fcw, true);
  out.setUint16(OUT.control + 2, state.fsw, true);
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((state.ftw >> (2 * i)) & 3) !== 3) tags |= 1 << i;
  out.setUint8(OUT.control + 4, tags);
  out.setUint8(OUT.control + 5, Number(getRflags(state) & 0xd5n));
  KEPT.forEach((position, i) => {
    const value = stack.get((top + position - stack.top) & 7);
    out.setBigUint64(OUT.registers + 10 * i, value.significand, true);
    out.setUint16(OUT.registers + 10 * i + 8, value.signExponent, true);
  });
  for (let i = 0; i < 16; i++) out.setUint8(OUT.memory + i, cpu.memory.getUint8(i));
  out.setUint16(OUT.ax, Number(state.rax & 0xffffn), true);
  return out;
}

const directory =
  process.env.X87_VECTORS ?? fileURLToPath(new URL("../../vectors", import.meta.url));

const C1 = 0x200;
/** FPTAN, FSINCOS, FSIN and FCOS, which real processors reduce by a shorter pi than ours. */
const OF_ANGLE = new Set([0xf2, 0xfb, 0xfe, 0xff]);
/** Angles with a smaller exponent field are not reduced. */
const REDUCED = 0x3ffe;

/** Makes registers equal that are one unit apart, and C1, which tells of the last rounding. */
function forgiveLastPlace(view: DataView, ours: DataView): void {
  ours.setUint16(OUT.control + 2, ours.getUint16(OUT.control + 2, true) & ~C1, true);
  view.setUint16(OUT.control + 2, view.getUint16(OUT.control + 2, true) & ~C1, true);
  const exponent = view.getUint16(IN.registers + 8, true) & 0x7fff;
  const reduced = OF_ANGLE.has(view.getUint8(2)) && exponent >= REDUCED && exponent < 0x7fff;
  for (let i = 0; i < KEPT.length; i++) {
    const at = OUT.registers + 10 * i;
    const whole = (v: DataView): bigint =>
      (BigInt(v.getUint16(at + 8, true)) << 63n) | BigInt.asUintN(63, v.getBigUint64(at, true));
    const distance = whole(view) - whole(ours);
    if (!reduced && (distance < -1n || distance > 1n)) continue;
    ours.setBigUint64(at, view.getBigUint64(at, true), true);
    ours.setUint16(at + 8, view.getUint16(at + 8, true), true);
  }
}

describe("x87 as on a real CPU", () => {
  test.each(["arithmetic", "move", "special"])("%s", (family) => {
    const file = readFileSync(`${directory}/x87-${family}.bin`);
    const wrong: string[] = [];
    let count = 0;
    for (let at = file.indexOf(10) + 1; at + RECORD <= file.length; at += RECORD) {
      const view = new DataView(file.buffer, file.byteOffset + at, RECORD);
      const ours = outcome(view);
      if (family === "special") forgiveLastPlace(view, ours);
      const ax = (v: DataView): string => v.getUint16(OUT.ax, true).toString(16);
      const want = `${describeState(view, OUT)} ${ax(view)}`;
      const got = `${describeState(ours, OUT)} ${ax(ours)}`;
      if (want !== got) {
        const code = hexOf(new Uint8Array(view.buffer, view.byteOffset + 1, view.getUint8(0)));
        wrong.push(`${code} ${describeState(view, IN)}\n  CPU ${want}\n  we  ${got}`);
      }
      count++;
    }
    expect(wrong.slice(0, 14).join("\n"), `${wrong.length} of ${count} differ`).toBe("");
    expect(count).toBeGreaterThan(1000);
  });
});
