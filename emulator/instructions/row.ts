/** One instruction encoding with its conditions, and the semantics beside it. */

import type { Execution } from "../execution.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { InterceptName } from "../svm/intercepts.ts";
import type { Context, StatusFlag } from "./context.ts";

/**
 * Conditions of a row; the order in which they are checked is written once, in execute.ts.
 */
export interface RowOptions {
  /** LOCK is legal with a memory destination. */
  readonly lock?: true;
  /** #GP(0) unless CPL is 0. */
  readonly cpl0?: true;
  /** #UD in 64-bit mode / only valid in 64-bit mode. */
  readonly not64?: true;
  readonly only64?: true;
  /** #UD in real and virtual-8086 mode. */
  readonly protectedOnly?: true;
  /** In 64-bit mode the operand size is 64 (pushes, pops, near branches; 66 still makes 16). */
  readonly default64?: true;
  /** In 64-bit mode the operand size is 64 whatever the prefixes. */
  readonly force64?: true;
  /** Needs CPUID's feature of this name, else #UD. */
  readonly feature?: "SSE" | "SSE2" | "SSE3" | "CX16" | "POPCNT" | "RDTSCP" | "SVM" | "X87" | "MMX";
  /**
   * Checks before the operands are touched: "x87" is #NM for CR0.EM/TS then pending exceptions,
   * "sse" is #UD for CR0.EM=1 or CR4.OSFXSR=0 then #NM for CR0.TS, "mmx" #UD for EM, #NM for TS.
   */
  readonly unit?: "x87" | "x87-no-wait" | "sse" | "mmx";
  /** SVM intercept, by name. */
  readonly intercept?: InterceptName;
  /** When the intercept is looked at (APM volume 2, section 15.7 and the instruction's page). */
  readonly interceptOrder?: "interceptFirst" | "afterExceptions" | "afterMemory";
  /** Exceptions that depend on state alone (EFER.SVME) and come before `cpl0`: throws GuestFault. */
  readonly exceptions?: (state: CpuState) => void;
  /**
   * Those that there are above CPL 0 only (CR4.TSD), after `cpl0` and before an "afterExceptions"
   * intercept: throws GuestFault.
   */
  readonly userExceptions?: (state: CpuState) => void;
  /** Flags that the manual leaves undefined. */
  readonly undefinedFlags?: readonly StatusFlag[];
  /** Accepts REP/REPE/REPNE as a repeat count. */
  readonly repeat?: true;
}

/** Semantics over any context: compiled and evaluated. */
export type Semantics = <V, B, X>(c: Context<V, B, X>) => void;
/** Semantics in plain TypeScript on the machine's state. */
export type ComplexSemantics = (x: Execution) => void;

export interface Row extends RowOptions {
  readonly mnemonic: string;
  /**
   * As in the manual: "01 /r", "0F A2", "80 /4", "50 +r", "F3 0F B8 /r", "NP 0F 10 /r",
   * "0F 01 D8". A leading 66, F2, F3 or NP is a mandatory prefix. The byte after the opcode is a
   * fixed ModRM byte. Immediates are in the operands.
   */
  readonly encoding: string;
  /** The manual's operand letters, by comma: see decode/operands.ts. */
  readonly operands: string;
  readonly semantics?: Semantics;
  readonly complex?: ComplexSemantics;
}

/** A byte as encodings have it: two digits. */
export const opcodeByte = (value: number): string =>
  value.toString(16).toUpperCase().padStart(2, "0");

/** A row whose semantics is written over the context. */
export function row(
  mnemonic: string,
  encoding: string,
  operands: string,
  options: RowOptions,
  semantics: Semantics,
): Row {
  return { mnemonic, encoding, operands, ...options, semantics };
}

/** A row whose semantics is plain TypeScript. */
export function complexRow(
  mnemonic: string,
  encoding: string,
  operands: string,
  options: RowOptions,
  complex: ComplexSemantics,
): Row {
  return { mnemonic, encoding, operands, ...options, complex };
}
