/** Rows that save and restore FPU and SSE state: FXSAVE, FXRSTOR, LDMXCSR and STMXCSR. */

import type { Execution } from "../execution.ts";
import { FX, MXCSR_MASK, readFxX87, writeFxX87 } from "../fpu/image.ts";
import { Status } from "../fpu/register-stack.ts";
import type { CpuState } from "../state/cpu-state.ts";
import { GuestFault } from "../system/exceptions.ts";
import { CR4 } from "../system/mode.ts";
import { complexRow, type Row, type RowOptions } from "./row.ts";
import { loadImage, storeImage } from "./x87-image.ts";

/** FXSAVE and FXRSTOR are #NM for CR0.EM and CR0.TS and never wait. */
const FXSR: RowOptions = { unit: "x87-no-wait" };
const SSE: RowOptions = { unit: "sse", feature: "SSE" };

const XMM_NAMES = [
  "xmm0",
  "xmm1",
  "xmm2",
  "xmm3",
  "xmm4",
  "xmm5",
  "xmm6",
  "xmm7",
  "xmm8",
  "xmm9",
  "xmm10",
  "xmm11",
  "xmm12",
  "xmm13",
  "xmm14",
  "xmm15",
] as const;

const visibleXmm = (x: Execution) => XMM_NAMES.slice(0, x.long ? 16 : 8);
const hasSse = (state: CpuState): boolean => (state.cr4 & CR4.OSFXSR) !== 0n;

function requireAlignment(x: Execution): void {
  if (x.linearOf(0) % FX.alignment !== 0n) throw new GuestFault("GP");
}

/**
 * As AMD processors do it: the error pointers are stored only while an exception is pending (the
 * bytes keep what they had), the XMM registers and MXCSR only if the system uses them.
 */
function saveState(x: Execution): void {
  requireAlignment(x);
  const { state } = x.cpu;
  const view = new DataView(new ArrayBuffer(FX.bytes));
  writeFxX87(state, view, x.operandSize === 8);
  const registersEnd = FX.registers + 8 * FX.registerStride;
  const ranges: [number, number][] = [
    [0, FX.pointers],
    [FX.registers, registersEnd],
  ];
  if ((state.fsw & Status.summary) !== 0) ranges.push([FX.pointers, FX.mxcsr]);
  if (hasSse(state)) {
    view.setUint32(FX.mxcsr, state.mxcsr, true);
    view.setUint32(FX.mxcsrMask, MXCSR_MASK, true);
    const names = visibleXmm(x);
    names.forEach((name, i) => {
      view.setBigUint64(FX.xmm + 16 * i, BigInt.asUintN(64, state[name]), true);
      view.setBigUint64(FX.xmm + 16 * i + 8, state[name] >> 64n, true);
    });
    ranges.push([FX.mxcsr, FX.registers], [FX.xmm, FX.xmm + 16 * names.length]);
  }
  storeImage(x, 0, view, ranges);
}

function restoreState(x: Execution): void {
  requireAlignment(x);
  const { state } = x.cpu;
  const view = loadImage(x, 0, FX.bytes);
  const mxcsr = view.getUint32(FX.mxcsr, true);
  if (hasSse(state) && (mxcsr & ~MXCSR_MASK) !== 0) throw new GuestFault("GP");
  const pending = (view.getUint16(2, true) & Status.summary) !== 0;
  readFxX87(state, view, x.operandSize === 8, pending);
  if (!hasSse(state)) return;
  state.mxcsr = mxcsr;
  visibleXmm(x).forEach((name, i) => {
    const low = view.getBigUint64(FX.xmm + 16 * i, true);
    state[name] = low | (view.getBigUint64(FX.xmm + 16 * i + 8, true) << 64n);
  });
}

export const SSE_STATE_ROWS: readonly Row[] = [
  complexRow("FXSAVE", "NP 0F AE /0", "M", FXSR, saveState),
  complexRow("FXRSTOR", "NP 0F AE /1", "M", FXSR, restoreState),
  complexRow("LDMXCSR", "NP 0F AE /2", "Md", SSE, (x) => {
    const value = Number(x.read(0));
    if ((value & ~MXCSR_MASK) !== 0) throw new GuestFault("GP");
    x.cpu.state.mxcsr = value;
  }),
  complexRow("STMXCSR", "NP 0F AE /3", "Md", SSE, (x) => x.write(0, BigInt(x.cpu.state.mxcsr))),
];
