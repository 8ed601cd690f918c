// Both machines' registers under one set of names and in one form, and how two files are printed.

import type { CpuState, Machine, SegmentRegister } from "../../emulator/index.ts";
import { getRflags } from "../../emulator/index.ts";

/** Register values by the names of QEMU's stub. */
export type RegisterFile = ReadonlyMap<string, bigint>;

const GENERAL = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] as const;
const NEW = ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const;
const SEGMENTS: readonly SegmentRegister[] = ["cs", "ss", "ds", "es", "fs", "gs"];
const X87 = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const XMM = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] as const;

const LMA = 0x400n;
const CODE_64 = 1 << 9;

/** In 64-bit mode QEMU's stub shows 64 bits, in any other mode 32. */
export function is64Bit(state: CpuState): boolean {
  return (state.efer & LMA) !== 0n && (state.cs.attributes & CODE_64) !== 0;
}

/**
 * Our registers. Left out: the hidden parts of segments, GDTR, IDTR, debug registers, MSRs and x87
 * tags and pointers, which the stub does not show or not in one form.
 */
export function ourRegisters(machine: Machine): Map<string, bigint> {
  const { state } = machine;
  const wide = is64Bit(state);
  const cut = (value: bigint): bigint => (wide ? value : BigInt.asUintN(32, value));
  const file = new Map<string, bigint>();
  for (const name of GENERAL) file.set(name, cut(state[name]));
  for (const name of NEW) file.set(name, wide ? state[name] : 0n);
  file.set("rip", cut(state.rip));
  file.set("eflags", getRflags(state));
  for (const name of SEGMENTS) file.set(name, BigInt(state[name].selector));
  file.set("fs_base", cut(state.fs.base));
  file.set("gs_base", cut(state.gs.base));
  file.set("k_gs_base", cut(state.kernelGsBase));
  for (const name of ["cr0", "cr2", "cr3", "cr4", "efer"] as const)
    file.set(name, cut(state[name]));
  file.set("cr8", BigInt(machine.platform.interrupts.getTaskPriority()));
  for (const i of X87) {
    const { significand, signExponent } = state[`fpr${i}`];
    file.set(`st${i}`, (BigInt(signExponent) << 64n) | significand);
  }
  file.set("fctrl", BigInt(state.fcw));
  file.set("fstat", BigInt(state.fsw));
  for (const i of XMM) file.set(`xmm${i}`, i < 8 || wide ? state[`xmm${i}`] : 0n);
  file.set("mxcsr", BigInt(state.mxcsr));
  return file;
}

/** Names whose values differ, of those that both have. */
export function differing(ours: RegisterFile, theirs: RegisterFile): string[] {
  const names: string[] = [];
  for (const [name, value] of ours) {
    const other = theirs.get(name);
    if (other !== undefined && other !== value) names.push(name);
  }
  return names;
}

/** One line a register: ours, QEMU's, and a star where they differ. */
export function printFiles(ours: RegisterFile, theirs: RegisterFile): string {
  const lines: string[] = [];
  for (const [name, value] of ours) {
    const other = theirs.get(name);
    const text = value.toString(16).padStart(16, "0");
    const otherText = other?.toString(16).padStart(16, "0") ?? "-";
    lines.push(`${other === value ? " " : "*"} ${name.padEnd(10)} ${text} ${otherText}`);
  }
  return lines.join("\n");
}
