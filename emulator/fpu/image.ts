/** Layouts of the x87 environment, the FSAVE area and the FXSAVE area (APM volume 2, section 11.4). */

import type { CpuState } from "../state/cpu-state.ts";
import { legalControl, RegisterStack, Tag, tagOf, updateSummary } from "./register-stack.ts";

/** Which of the four environments: operand size, and protected or real pointers. */
export interface EnvironmentFormat {
  readonly wide: boolean;
  readonly real: boolean;
}

export const environmentBytes = (format: EnvironmentFormat): number => (format.wide ? 28 : 14);
const REGISTER_BYTES = 10;
export const saveBytes = (format: EnvironmentFormat): number =>
  environmentBytes(format) + 8 * REGISTER_BYTES;

/** Real-mode formats hold linear addresses, of 32 bits at most. */
function linearPointer(selector: number, offset: bigint): number {
  return Number(BigInt.asUintN(32, BigInt(selector) * 16n + offset));
}

/** The words of an environment, lowest first; in the wide form each has a doubleword. */
function pointerWords(state: CpuState, { wide, real }: EnvironmentFormat): number[] {
  if (real) {
    const ip = linearPointer(state.fcs, state.fip);
    const dp = linearPointer(state.fds, state.fdp);
    const high = (pointer: number): number => (pointer >>> 16) << 12;
    return [ip & 0xffff, high(ip) | state.fop, dp & 0xffff, high(dp)];
  }
  const ip = Number(BigInt.asUintN(wide ? 32 : 16, state.fip));
  const dp = Number(BigInt.asUintN(wide ? 32 : 16, state.fdp));
  const selectorWord = wide ? (state.fop << 16) | state.fcs : state.fcs;
  return [ip, selectorWord, dp, state.fds];
}

export function writeEnvironment(state: CpuState, format: EnvironmentFormat, view: DataView): void {
  const words = [state.fcw, state.fsw, state.ftw, ...pointerWords(state, format)];
  words.forEach((word, i) => {
    if (!format.wide) view.setUint16(2 * i, word, true);
    // The upper halves of the 16-bit fields read as ones.
    else if (i < 3 || (i === 6 && !format.real)) {
      view.setUint32(4 * i, word | 0xffff0000, true);
    } else view.setUint32(4 * i, word, true);
  });
}

function setPointers(state: CpuState, format: EnvironmentFormat, words: readonly number[]): void {
  const [ip = 0, ipHigh = 0, dp = 0, dpHigh = 0] = words;
  if (format.real) {
    const whole = (low: number, high: number): bigint =>
      BigInt(low & 0xffff) | (BigInt((high >>> 12) & (format.wide ? 0xffff : 15)) << 16n);
    state.fip = whole(ip, ipHigh);
    state.fdp = whole(dp, dpHigh);
    state.fcs = 0;
    state.fds = 0;
    state.fop = ipHigh & 0x7ff;
    return;
  }
  state.fip = BigInt(ip);
  state.fdp = BigInt(dp);
  state.fcs = ipHigh & 0xffff;
  state.fds = dpHigh & 0xffff;
  if (format.wide) state.fop = (ipHigh >>> 16) & 0x7ff;
}

/** Tags other than empty are recomputed from what the registers hold. */
function setTags(state: CpuState, isEmpty: (physical: number) => boolean): void {
  const stack = new RegisterStack(state);
  let word = 0;
  for (let physical = 0; physical < 8; physical++) {
    const tag = isEmpty(physical) ? Tag.empty : tagOf(stack.get((physical - stack.top) & 7));
    word |= tag << (2 * physical);
  }
  state.ftw = word;
}

export function readEnvironment(state: CpuState, format: EnvironmentFormat, view: DataView): void {
  const words = Array.from({ length: 7 }, (_, i) =>
    format.wide ? view.getUint32(4 * i, true) : view.getUint16(2 * i, true),
  );
  const [control = 0, status = 0, tags = 0, ...pointers] = words;
  state.fcw = legalControl(control);
  state.fsw = status & 0xffff;
  setPointers(state, format, pointers);
  setTags(state, (physical) => ((tags >> (2 * physical)) & 3) === Tag.empty);
  updateSummary(state);
}

/** ST(0) to ST(7), `stride` bytes apart. */
export function writeRegisters(state: CpuState, view: DataView, at: number, stride: number): void {
  const stack = new RegisterStack(state);
  for (let i = 0; i < 8; i++) {
    const { significand, signExponent } = stack.get(i);
    view.setBigUint64(at + i * stride, significand, true);
    view.setUint16(at + i * stride + 8, signExponent, true);
  }
}

/** TOP must be set already; tags are left alone. */
export function readRegisters(state: CpuState, view: DataView, at: number, stride: number): void {
  const stack = new RegisterStack(state);
  for (let i = 0; i < 8; i++) {
    stack.setContents(i, {
      significand: view.getBigUint64(at + i * stride, true),
      signExponent: view.getUint16(at + i * stride + 8, true),
    });
  }
}

export function initialise(state: CpuState): void {
  state.fcw = 0x37f;
  state.fsw = 0;
  state.ftw = 0xffff;
  state.fop = 0;
  state.fip = 0n;
  state.fdp = 0n;
  state.fcs = 0;
  state.fds = 0;
}

/** Sizes and places in the FXSAVE area. */
export const FX = {
  bytes: 512,
  alignment: 16n,
  /** FOP, FIP, FCS, FDP and FDS: from here to the MXCSR field. */
  pointers: 6,
  mxcsr: 24,
  mxcsrMask: 28,
  registers: 32,
  registerStride: 16,
  xmm: 160,
} as const;

/** Bits of MXCSR that may be set. */
export const MXCSR_MASK = 0xffff;

/** FCW, FSW, the abridged tags, the pointers and the registers. REX.W widens the pointers. */
export function writeFxX87(state: CpuState, view: DataView, longPointers: boolean): void {
  view.setUint16(0, state.fcw, true);
  view.setUint16(2, state.fsw, true);
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((state.ftw >> (2 * i)) & 3) !== Tag.empty) tags |= 1 << i;
  view.setUint8(4, tags);
  view.setUint16(FX.pointers, state.fop, true);
  view.setBigUint64(8, state.fip, true);
  view.setBigUint64(16, state.fdp, true);
  if (!longPointers) {
    view.setUint32(12, state.fcs, true);
    view.setUint32(20, state.fds, true);
  }
  writeRegisters(state, view, FX.registers, FX.registerStride);
}

export function readFxX87(
  state: CpuState,
  view: DataView,
  longPointers: boolean,
  withPointers: boolean,
): void {
  state.fcw = legalControl(view.getUint16(0, true));
  state.fsw = view.getUint16(2, true);
  if (withPointers) {
    state.fop = view.getUint16(FX.pointers, true) & 0x7ff;
    state.fip = longPointers ? view.getBigUint64(8, true) : BigInt(view.getUint32(8, true));
    state.fdp = longPointers ? view.getBigUint64(16, true) : BigInt(view.getUint32(16, true));
    if (!longPointers) {
      state.fcs = view.getUint16(12, true);
      state.fds = view.getUint16(20, true);
    }
  }
  readRegisters(state, view, FX.registers, FX.registerStride);
  const tags = view.getUint8(4);
  setTags(state, (physical) => ((tags >> physical) & 1) === 0);
  updateSummary(state);
}
