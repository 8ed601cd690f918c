/** EXITINFO1 and EXITINFO2 taken apart, and an exit told in words (APM volume 2, sections 15.7 to 15.33). */

import { EXCEPTION_EXIT, exitName, exitOf } from "./exits.ts";

/** The words of an exit, and RCX (which #VMEXIT leaves alone): the number of an MSR. */
export interface ExitWords {
  readonly code: bigint;
  readonly info1: bigint;
  readonly info2: bigint;
  readonly rcx?: bigint;
}

const bit = (word: bigint, n: number): boolean => ((word >> BigInt(n)) & 1n) !== 0n;
const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Section 15.25.6: a page-fault error code and where in the walk the fault was. */
export interface NestedFaultInfo {
  readonly present: boolean;
  readonly write: boolean;
  readonly user: boolean;
  readonly reserved: boolean;
  readonly fetch: boolean;
  /** The page itself was being translated / a page table of the guest. */
  readonly finalTranslation: boolean;
  readonly tableWalk: boolean;
  readonly gpa: bigint;
}

export function decodeNestedFault(info1: bigint, info2: bigint): NestedFaultInfo {
  return {
    present: bit(info1, 0),
    write: bit(info1, 1),
    user: bit(info1, 2),
    reserved: bit(info1, 3),
    fetch: bit(info1, 4),
    finalTranslation: bit(info1, 32),
    tableWalk: bit(info1, 33),
    gpa: info2,
  };
}

const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"] as const;

/** Section 15.10.2. */
export interface IoInfo {
  readonly port: number;
  readonly size: number;
  readonly in: boolean;
  readonly string: boolean;
  readonly rep: boolean;
  readonly addressSize: 16 | 32 | 64;
  /** Of a string instruction's memory operand. */
  readonly segment: (typeof SEGMENT_NAMES)[number] | undefined;
  readonly nextRip: bigint;
}

export function decodeIo(info1: bigint, info2: bigint): IoInfo {
  const string = bit(info1, 2);
  return {
    port: Number((info1 >> 16n) & 0xffffn),
    size: Number((info1 >> 4n) & 7n),
    in: bit(info1, 0),
    string,
    rep: bit(info1, 3),
    addressSize: bit(info1, 9) ? 64 : bit(info1, 8) ? 32 : 16,
    segment: string ? SEGMENT_NAMES[Number((info1 >> 10n) & 7n)] : undefined,
    nextRip: info2,
  };
}

/** Section 15.33.1: bit 63 says that the instruction was MOV and 3:0 name its general register. */
export function decodeControlRegister(info1: bigint): { mov: boolean; register: number } {
  return { mov: bit(info1, 63), register: Number(info1 & 15n) };
}

/** Section 15.14.1. */
export function decodeTaskSwitch(
  info1: bigint,
  info2: bigint,
): { selector: number; source: "IRET" | "JMP" | "CALL or event"; errorCode: number | undefined } {
  return {
    selector: Number(info1 & 0xffffn),
    source: bit(info2, 36) ? "IRET" : bit(info2, 38) ? "JMP" : "CALL or event",
    errorCode: bit(info2, 44) ? Number(info2 & 0xffff_ffffn) : undefined,
  };
}

function describeNestedFault(info1: bigint, info2: bigint): string {
  const f = decodeNestedFault(info1, info2);
  const kind = f.fetch ? "fetch from" : f.write ? "write to" : "read of";
  const why = f.reserved
    ? "reserved bit set in a nested table"
    : f.present
      ? "not permitted"
      : "not present";
  const where = f.tableWalk
    ? "guest page-table walk"
    : f.finalTranslation
      ? "final translation"
      : "walk unknown";
  return `${kind} gpa ${hex(f.gpa)} ${why}, ${where}`;
}

function describeIo(info1: bigint, info2: bigint): string {
  const io = decodeIo(info1, info2);
  const name = io.string ? (io.in ? "ins" : "outs") : io.in ? "in" : "out";
  const rep = io.rep ? "rep " : "";
  const bytes = `${io.size} byte${io.size === 1 ? "" : "s"}`;
  const memory = io.string ? `, segment ${io.segment ?? "?"}, ${io.addressSize}-bit address` : "";
  return `${rep}${name} ${hex(io.port)}, ${bytes}${memory}, next rip ${hex(io.nextRip)}`;
}

function describePageFault(info1: bigint, info2: bigint): string {
  const kind = bit(info1, 4) ? "fetch from" : bit(info1, 1) ? "write to" : "read of";
  const why = bit(info1, 3) ? "reserved bit set" : bit(info1, 0) ? "not permitted" : "not present";
  const who = bit(info1, 2) ? "user" : "supervisor";
  return `${who} ${kind} gva ${hex(info2)} ${why}`;
}

function describeControlRegister(name: string, info1: bigint): string {
  const [register = "", direction = ""] = name.split("_");
  if (name === "CR0_SEL_WRITE") return "write of CR0";
  const verb = direction === "READ" ? "read" : "write";
  const { mov, register: gpr } = decodeControlRegister(info1);
  return mov ? `${verb} of ${register}, general register ${gpr}` : `${verb} of ${register}`;
}

function describeTaskSwitch(info1: bigint, info2: bigint): string {
  const t = decodeTaskSwitch(info1, info2);
  const error = t.errorCode === undefined ? "" : `, error ${hex(t.errorCode)}`;
  return `to TSS selector ${hex(t.selector)} by ${t.source}${error}`;
}

function describeMsr(words: ExitWords): string {
  const verb = words.info1 === 0n ? "read" : "write";
  if (words.rcx === undefined) return verb;
  return `${verb} of MSR ${hex(BigInt.asUintN(32, words.rcx))}`;
}

/** What EXITINFO1 and EXITINFO2 say, without the exit's name; "" where they say nothing. */
export function describeExitInfo(words: ExitWords): string {
  const exit = exitOf(words.code);
  const { info1, info2 } = words;
  switch (exit?.kind) {
    case "nestedPageFault":
      return describeNestedFault(info1, info2);
    case "io":
      return describeIo(info1, info2);
    case "msr":
      return describeMsr(words);
    case "controlRegister":
      return describeControlRegister(exit.name, info1);
    case "debugRegister": {
      const [register = "", direction = ""] = exit.name.split("_");
      return `${direction.toLowerCase()} of ${register}, general register ${info1 & 15n}`;
    }
    case "taskSwitch":
      return describeTaskSwitch(info1, info2);
    case "exception":
      if (exit.code === EXCEPTION_EXIT + 14) return describePageFault(info1, info2);
      return info1 === 0n ? "" : `error ${hex(info1)}`;
    case "instruction":
      if (exit.name === "SWINT") return `vector ${hex(info1 & 0xffn)}`;
      if (exit.name === "INVLPG" || exit.name === "INVLPGA") return `address ${hex(info1)}`;
      return "";
    default:
      return "";
  }
}

/** "IOIO: out 0x3f8, 1 byte, next rip 0x1002", "CPUID". */
export function describeExit(words: ExitWords): string {
  const info = describeExitInfo(words);
  return info === "" ? exitName(words.code) : `${exitName(words.code)}: ${info}`;
}
