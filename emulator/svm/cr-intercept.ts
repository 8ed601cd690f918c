/** Intercepts of control and debug registers (APM volume 2, section 15.8). */

import type { Execution } from "../execution.ts";
import { GENERAL_REGISTERS } from "../state/cpu-fields.ts";
import { InterceptExit } from "../system/exceptions.ts";
import { CR0 } from "../system/mode.ts";
import { CR_READ_EXIT, CR_WRITE_EXIT, DR_READ_EXIT, DR_WRITE_EXIT } from "./exits.ts";
import { INTERCEPTS, isIntercepted } from "./intercepts.ts";

/** EXITINFO1[63] of a control register's exit: the instruction was MOV (section 15.33.1). */
const WAS_MOV = 1n << 63n;
/** Changes of these alone do not count for CR0_SEL_WRITE. */
const SELECTIVE_IGNORES = CR0.TS | CR0.MP;

/**
 * Exits if the running guest intercepts this access. `general` is MOV's general register; CLTS, LMSW
 * and SMSW have none, and the writers among them give the value that CR0 would take.
 *
 * CR0_SEL_WRITE goes before CR0_WRITE where both apply (section unverified).
 */
export function interceptCrDr(
  x: Execution,
  bank: "CR" | "DR",
  number: number,
  write: boolean,
  general?: number,
  newValue?: bigint,
): void {
  const { state } = x.cpu;
  if (state.guestMode === 0) return;
  const info = exitInfo(bank, general);
  if (bank === "CR" && number === 0 && write && isIntercepted(state, "CR0_SEL_WRITE")) {
    const value = newValue ?? movedValue(x, general);
    const changed = (state.cr0 ^ value) & 0xffff_ffffn & ~SELECTIVE_IGNORES & ~CR0.ET;
    if (changed !== 0n) throw new InterceptExit(INTERCEPTS.CR0_SEL_WRITE.exitCode, info);
  }
  const word = bank === "CR" ? state.interceptCr : state.interceptDr;
  if (((word >>> (number + (write ? 16 : 0))) & 1) === 0) return;
  const read = bank === "CR" ? CR_READ_EXIT : DR_READ_EXIT;
  const written = bank === "CR" ? CR_WRITE_EXIT : DR_WRITE_EXIT;
  throw new InterceptExit((write ? written : read) + number, info);
}

function exitInfo(bank: "CR" | "DR", general: number | undefined): bigint {
  if (general === undefined) return 0n;
  return BigInt(general) | (bank === "CR" ? WAS_MOV : 0n);
}

function movedValue(x: Execution, general = 0): bigint {
  return x.getRegister(GENERAL_REGISTERS[general]!, x.long ? 8 : 4);
}
