/** The one table of exits (APM volume 2, appendix C): code, name and meaning of each. */

import { EXCEPTIONS } from "../system/exceptions.ts";
import { INTERCEPTS, type InterceptName } from "./intercepts.ts";

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
type Sixteen = Digit | 10 | 11 | 12 | 13 | 14 | 15;
type RegisterExit = `${"CR" | "DR"}${Sixteen}_${"READ" | "WRITE"}`;

/** Exits by the names of the manual, without VMEXIT_. INTn's exit is SWINT. */
export type ExitName =
  | RegisterExit
  | `EXCP_${string}`
  | Exclude<InterceptName, "INTn">
  | "SWINT"
  | "NPF"
  | "INVALID";

/** What an exit is about; decides which of EXITINFO1/2, nRIP and instruction bytes it has. */
export type ExitKind =
  | "controlRegister"
  | "debugRegister"
  | "exception"
  | "event"
  | "instruction"
  | "io"
  | "msr"
  | "taskSwitch"
  | "nestedPageFault"
  | "invalid";

export interface Exit {
  readonly name: ExitName;
  /** EXITCODE; -1 for INVALID (all ones in the VMCB). */
  readonly code: number;
  readonly kind: ExitKind;
  readonly doc: string;
}

export const NPF_EXIT = 0x400;
export const INVALID_EXIT = -1;
export const EXCEPTION_EXIT = 0x40;
export const CR_READ_EXIT = 0x00;
export const CR_WRITE_EXIT = 0x10;
export const DR_READ_EXIT = 0x20;
export const DR_WRITE_EXIT = 0x30;

function registerExits(): Exit[] {
  const exits: Exit[] = [];
  for (const [bank, kind, read, write] of [
    ["CR", "controlRegister", CR_READ_EXIT, CR_WRITE_EXIT],
    ["DR", "debugRegister", DR_READ_EXIT, DR_WRITE_EXIT],
  ] as const) {
    for (let n = 0; n < 16; n++) {
      const register = `${bank}${n as Sixteen}` as const;
      exits.push({ name: `${register}_READ`, code: read + n, kind, doc: `Read of ${register}` });
      exits.push({ name: `${register}_WRITE`, code: write + n, kind, doc: `Write of ${register}` });
    }
  }
  return exits;
}

function exceptionExits(): Exit[] {
  const names = new Map<number, string>(
    Object.entries(EXCEPTIONS).map(([name, e]) => [e.vector, name]),
  );
  return Array.from({ length: 32 }, (_, vector) => {
    const name = names.get(vector);
    const doc = name === undefined ? `Exception vector ${vector}` : `Exception #${name}`;
    return {
      name: `EXCP_${name ?? vector}`,
      code: EXCEPTION_EXIT + vector,
      kind: "exception",
      doc,
    };
  });
}

function interceptExits(): Exit[] {
  return Object.entries(INTERCEPTS).map(([name, { exitCode: code, kind, doc }]) => {
    return { name: name === "INTn" ? "SWINT" : (name as ExitName), code, kind, doc };
  });
}

/** Every exit, by ascending code, INVALID last. */
export const EXITS: readonly Exit[] = [
  ...[...registerExits(), ...exceptionExits(), ...interceptExits()].sort((a, b) => a.code - b.code),
  { name: "NPF", code: NPF_EXIT, kind: "nestedPageFault", doc: "Nested page fault" },
  { name: "INVALID", code: INVALID_EXIT, kind: "invalid", doc: "VMRUN refused the VMCB" },
];

const BY_CODE = new Map(EXITS.map((e) => [e.code, e]));
const BY_NAME = new Map(EXITS.map((e) => [e.name, e]));

/** The exit of an EXITCODE, given as the VMCB holds it or signed. */
export function exitOf(code: bigint | number): Exit | undefined {
  return BY_CODE.get(Number(BigInt.asIntN(64, BigInt(code))));
}

/** The exit of a name. */
export const exitByName = (name: string): Exit | undefined => BY_NAME.get(name as ExitName);

/** "NPF", or "0x123" for a code that the table does not have. */
export function exitName(code: bigint | number): string {
  return exitOf(code)?.name ?? `0x${BigInt.asUintN(64, BigInt(code)).toString(16)}`;
}

/**
 * Whether the exit leaves nRIP: intercepted instructions, I/O and MSR, and the exceptions that INT3,
 * INTO and BOUND raise (section 15.7.1). It is zero for all others.
 */
export function exitHasNextRip(code: number): boolean {
  const exit = exitOf(code);
  if (exit === undefined) return false;
  if (exit.kind === "exception") {
    const vector = code - EXCEPTION_EXIT;
    return [EXCEPTIONS.BP.vector, EXCEPTIONS.OF.vector, EXCEPTIONS.BR.vector].some(
      (v) => v === vector,
    );
  }
  return ["controlRegister", "debugRegister", "instruction", "io", "msr"].includes(exit.kind);
}
