/** The MSR permission map (APM volume 2, section 15.11): two bits an MSR, read then write. */

import type { Execution } from "../execution.ts";
import { InterceptExit } from "../system/exceptions.ts";
import { INTERCEPTS, isIntercepted } from "./intercepts.ts";

/** Ranges of 8192 MSRs, and where in the map each begins. */
export const MSR_RANGES = [
  { first: 0x0000_0000, offset: 0x0000 },
  { first: 0xc000_0000, offset: 0x0800 },
  { first: 0xc001_0000, offset: 0x1000 },
] as const;
const RANGE = 0x2000;

/** Byte and bit of an MSR's read or write permission, or undefined where the map has none. */
export function msrPermission(
  msr: number,
  write: boolean,
): { readonly offset: number; readonly bit: number } | undefined {
  const range = MSR_RANGES.find((r) => msr >= r.first && msr < r.first + RANGE);
  if (range === undefined) return undefined;
  const position = (msr - range.first) * 2 + (write ? 1 : 0);
  return { offset: range.offset + (position >> 3), bit: position & 7 };
}

/** Exits if the running guest intercepts this RDMSR or WRMSR; an MSR outside the map always does. */
export function interceptMsr(x: Execution, msr: number, write: boolean): void {
  const { state, physical } = x.cpu;
  if (!isIntercepted(state, "MSR")) return;
  const permission = msrPermission(msr >>> 0, write);
  if (permission !== undefined) {
    const byte = Number(physical.read(Number(state.msrpmBase) + permission.offset, 1));
    if (((byte >> permission.bit) & 1) === 0) return;
  }
  throw new InterceptExit(INTERCEPTS.MSR.exitCode, write ? 1n : 0n);
}
