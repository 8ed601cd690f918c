/** Replays what a real CPU did with SSE and MMX instructions, whole instructions from their bytes. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MMX_ROWS } from "../../../emulator/instructions/mmx.ts";
import { SSE_CONVERT_ROWS } from "../../../emulator/instructions/sse-convert.ts";
import { SSE_FLOAT_ROWS } from "../../../emulator/instructions/sse-float.ts";
import { SSE_INTEGER_ROWS } from "../../../emulator/instructions/sse-integer.ts";
import { SSE_MOVE_ROWS } from "../../../emulator/instructions/sse-move.ts";
import { SSE_SHIFT_ROWS } from "../../../emulator/instructions/sse-shift.ts";
import { getRflags, setRflags } from "../../../emulator/state/flags.ts";
import { BareCpu } from "./bare-cpu.ts";

const RECORD = 106;
const cpu = new BareCpu([
  ...SSE_MOVE_ROWS,
  ...SSE_INTEGER_ROWS,
  ...SSE_SHIFT_ROWS,
  ...SSE_FLOAT_ROWS,
  ...SSE_CONVERT_ROWS,
  ...MMX_ROWS,
]);
const { state, memory } = cpu;

const u128 = (view: DataView, at: number): bigint =>
  view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
const hex = (value: bigint): string => value.toString(16).padStart(32, "0");

/** What is compared, as text, for the CPU and for us. */
function recorded(view: DataView): string {
  const mxcsr = view.getUint32(100, true).toString(16);
  const flags = view.getUint8(104).toString(16);
  const trap = ["", "XF", "GP"][view.getUint8(105)];
  const rax = hex(view.getBigUint64(92, true));
  return `${hex(u128(view, 60))} ${hex(u128(view, 76))} ${rax} ${mxcsr} ${flags} ${trap}`;
}

/** MMX records hold MM0, with the abridged tags XORed in, above XMM0's low half. */
function packMmx(): void {
  let tags = 0n;
  for (let i = 0; i < 8; i++) if (((state.ftw >> (2 * i)) & 3) !== 3) tags |= 1n << BigInt(i);
  const low = BigInt.asUintN(64, state.xmm0);
  state.xmm0 = low | ((state.fpr0.significand ^ tags) << 64n);
}

function replay(family: string, view: DataView): string {
  const code = new Uint8Array(view.buffer, view.byteOffset + 1, 15);
  state.xmm0 = u128(view, 16);
  state.xmm1 = u128(view, 32);
  state.rax = view.getBigUint64(48, true);
  state.rdi = 0n;
  state.mxcsr = view.getUint32(56, true);
  setRflags(state, 0x202n);
  for (let i = 0; i < 16; i++) {
    memory.setUint8(i, view.getUint8(32 + i));
    memory.setUint8(16 + i, view.getUint8(16 + i));
  }
  // Only MMX rows look at these.
  state.fsw = 0;
  state.ftw = 0xffff;
  state.fpr0.significand = view.getBigUint64(16, true);
  state.fpr1.significand = view.getBigUint64(32, true);
  const trap = cpu.run(code);
  if (family === "mmx") packMmx();
  const flags = trap === "" ? (getRflags(state) & 0xd5n).toString(16) : "0";
  const mxcsr = state.mxcsr.toString(16);
  return `${hex(state.xmm0)} ${hex(u128(memory, 0))} ${hex(state.rax)} ${mxcsr} ${flags} ${trap}`;
}

function describeInput(view: DataView): string {
  const code = new Uint8Array(view.buffer, view.byteOffset + 1, view.getUint8(0));
  const bytes = [...code].map((b) => b.toString(16).padStart(2, "0")).join("");
  const mxcsr = view.getUint32(56, true).toString(16);
  return `${bytes} ${hex(u128(view, 16))} ${hex(u128(view, 32))} mxcsr ${mxcsr}`;
}

const directory =
  process.env.SSE_VECTORS ?? fileURLToPath(new URL("../../vectors", import.meta.url));

describe("SSE as on a real CPU", () => {
  test.each(["integer", "float", "convert", "mmx"])("%s", (family) => {
    const file = readFileSync(`${directory}/sse-${family}.bin`);
    const start = file.indexOf(10) + 1;
    const wrong: string[] = [];
    let count = 0;
    for (let at = start; at + RECORD <= file.length; at += RECORD) {
      const view = new DataView(file.buffer, file.byteOffset + at, RECORD);
      const [want, got] = [recorded(view), replay(family, view)];
      if (want !== got) wrong.push(`${describeInput(view)}\n  CPU ${want}\n  we  ${got}`);
      count++;
    }
    expect(wrong.slice(0, 12).join("\n"), `${wrong.length} of ${count} differ`).toBe("");
    expect(count).toBeGreaterThan(1000);
  });
});
