/** The x87 register stack over the CPU state: TOP, tags and the status word. */

import type { CpuState, ExtendedRegister } from "../state/cpu-state.ts";
import { classify, type Extended } from "./extended.ts";

/** Bits of the status word beyond the exception flags (FpuFlag). */
export const Status = {
  stackFault: 0x40,
  summary: 0x80,
  c0: 0x100,
  c1: 0x200,
  c2: 0x400,
  c3: 0x4000,
  busy: 0x8000,
} as const;

export const TOP_SHIFT = 11;

/** Values of a register's two tag bits. */
export const Tag = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

/** Bits of the control word that exist; bit 6 reads as one. */
export function legalControl(value: number): number {
  return (value & 0x1f3f) | 0x40;
}

export function tagOf(value: Extended): number {
  if (classify(value) === "zero") return Tag.zero;
  const field = value.signExponent & 0x7fff;
  const normal = field !== 0 && classify(value) === "finite";
  return normal ? Tag.valid : Tag.special;
}

/** Sets or clears ES and B by whether an unmasked exception flag stands. */
export function updateSummary(state: CpuState): void {
  const pending = (state.fsw & ~state.fcw & 0x3f) !== 0;
  const both = Status.summary | Status.busy;
  state.fsw = pending ? state.fsw | both : state.fsw & ~both;
}

export class RegisterStack {
  private readonly state: CpuState;
  private readonly registers: readonly ExtendedRegister[];

  constructor(state: CpuState) {
    this.state = state;
    const { fpr0, fpr1, fpr2, fpr3, fpr4, fpr5, fpr6, fpr7 } = state;
    this.registers = [fpr0, fpr1, fpr2, fpr3, fpr4, fpr5, fpr6, fpr7];
  }

  get top(): number {
    return (this.state.fsw >> TOP_SHIFT) & 7;
  }
  set top(value: number) {
    this.state.fsw = (this.state.fsw & ~(7 << TOP_SHIFT)) | ((value & 7) << TOP_SHIFT);
  }

  private physical(i: number): number {
    return (this.top + i) & 7;
  }
  private setTag(i: number, tag: number): void {
    const at = 2 * this.physical(i);
    this.state.ftw = (this.state.ftw & ~(3 << at)) | (tag << at);
  }

  isEmpty(i: number): boolean {
    return ((this.state.ftw >> (2 * this.physical(i))) & 3) === Tag.empty;
  }
  /** ST(i), whatever its tag. */
  get(i: number): Extended {
    const { significand, signExponent } = this.registers[this.physical(i)]!;
    return { significand, signExponent };
  }
  /** Writes ST(i) and makes it not empty. */
  set(i: number, value: Extended): void {
    this.setTag(i, tagOf(value));
    this.setContents(i, value);
  }
  /** Writes ST(i) without its tag. */
  setContents(i: number, value: Extended): void {
    const register = this.registers[this.physical(i)]!;
    register.significand = value.significand;
    register.signExponent = value.signExponent;
  }
  free(i: number): void {
    this.setTag(i, Tag.empty);
  }
  push(value: Extended): void {
    this.top -= 1;
    this.set(0, value);
  }
  pop(): void {
    this.free(0);
    this.top += 1;
  }
}
