/** What made an exit happen: the intercept bit, the map's bit, the nested entry or the failed check. */
import {
  EXCEPTION_EXIT,
  type Exit,
  exitOf,
  INTERCEPTS,
  type Machine,
  msrPermission,
  type TranslationLevel,
  VMCB_FIELDS,
  VMRUN_CHECKS,
  type VmcbFieldName,
} from "../../emulator/index.ts";
import { entryText } from "../addresses/page-entry.ts";
import { hex } from "../text.ts";
import type { Bits } from "../value-place.ts";
import { type ExitRecord, fieldsOf } from "./exit-log.ts";
import { nestedWalk } from "./nested-walk.ts";
import type { VmcbCopy } from "./vmcb-history.ts";

export interface Cause {
  readonly name: "intercept" | "I/O map" | "MSR map" | "nested entry" | "check";
  readonly text: string;
  /** Host-physical address of the byte or the entry. */
  readonly address?: number;
  /** Of the byte or of the VMCB's field: those that decided. */
  readonly bits?: Bits;
  readonly entry?: TranslationLevel;
}

interface InterceptBit {
  readonly field: VmcbFieldName;
  readonly bit: number;
  readonly name: string;
}

/** The VMCB's bit that asks for an exit; undefined for those that no bit asks for. */
export function interceptOf(exit: Exit): InterceptBit | undefined {
  const register = /^(CR|DR)(\d+)_(READ|WRITE)$/.exec(exit.name);
  if (register !== null) {
    const [, bank, number, direction] = register;
    const field = `INTERCEPT_${bank as "CR" | "DR"}_${direction as "READ" | "WRITE"}` as const;
    return { field, bit: Number(number), name: `${bank}${number}` };
  }
  if (exit.kind === "exception") {
    const name = exit.name.replace("EXCP_", "");
    return { field: "INTERCEPT_EXCEPTIONS", bit: exit.code - EXCEPTION_EXIT, name };
  }
  const found = Object.entries(INTERCEPTS).find(([, each]) => each.exitCode === exit.code);
  if (found === undefined) return undefined;
  const [name, { word, bit }] = found;
  const field = word === "interceptMisc1" ? "INTERCEPT_MISC1" : "INTERCEPT_MISC2";
  return { field, bit, name };
}

/** The causes of an exit, the one that decided last. `vmcb` is as the exit left it. */
export function exitCauses(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): Cause[] {
  const entry = exitOf(exit.code);
  if (exit.failedCheck !== undefined) return [failedCheck(exit.failedCheck)];
  if (entry === undefined) return [];
  if (entry.kind === "nestedPageFault") return [nestedEntry(machine, exit, vmcb)];
  const causes: Cause[] = [];
  const intercept = interceptOf(entry);
  if (intercept !== undefined) causes.push(interceptCause(exit, vmcb, intercept));
  if (entry.kind === "io") causes.push(ioMapCause(machine, exit, vmcb));
  if (entry.kind === "msr") causes.push(msrMapCause(machine, exit, vmcb));
  return causes;
}

function failedCheck(name: string): Cause {
  const check = VMRUN_CHECKS.find((each) => each.name === name);
  const why = check && `: ${check.message} (APM volume 2, section ${check.section})`;
  return { name: "check", text: `${name}${why ?? ""}` };
}

function interceptCause(
  exit: ExitRecord,
  vmcb: VmcbCopy,
  { field, bit, name }: InterceptBit,
): Cause {
  const isSet = ((Number(vmcb.read(field)) >>> bit) & 1) !== 0;
  return {
    name: "intercept",
    text: `bit ${bit} (${name}) of ${field} is ${isSet ? "set" : "clear now"}`,
    address: exit.vmcb + VMCB_FIELDS[field].offset + (bit >> 3),
    bits: { offset: bit, width: 1 },
  };
}

const PAGE = ~0xfffn;

/** Bytes of a map in physical memory; fewer where it is not RAM. */
const mapBytes = (machine: Machine, address: number, count: number) =>
  machine.memory.peek(address, count);

const CHANGED = "the host has changed it since the exit";

function ioMapCause(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): Cause {
  const { port, size } = fieldsOf(exit, machine);
  const [first, count] = [Number(port), Number(size)];
  const base = Number(vmcb.read("IOPM_BASE_PA") & PAGE);
  const offset = first >> 3;
  const bytes = mapBytes(machine, base + offset, 2);
  const word = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
  const at = `byte ${hex(offset)} of the IOPM, hpa:${hex(base + offset)},`;
  const ports = Array.from({ length: count }, (_, i) => i).filter(
    (i) => (word >> ((first & 7) + i)) & 1,
  );
  if (ports.length === 0) {
    return {
      name: "I/O map",
      text: `${at} permits the access: ${CHANGED}`,
      address: base + offset,
    };
  }
  const bits = ports.map((i) => `bit ${(first & 7) + i} (port ${hex(first + i)})`).join(", ");
  return {
    name: "I/O map",
    text: `${at} is ${hex(bytes[0] ?? 0)}: ${bits} set`,
    address: base + offset,
    bits: { offset: first & 7, width: count },
  };
}

function msrMapCause(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): Cause {
  const msr = Number(BigInt.asUintN(32, exit.registers.get("rcx") ?? 0n));
  const write = exit.info1 !== 0n;
  const permission = msrPermission(msr, write);
  if (permission === undefined) {
    const text = `MSR ${hex(msr)} lies outside the MSRPM: every access to it exits`;
    return { name: "MSR map", text };
  }
  const { offset, bit } = permission;
  const address = Number(vmcb.read("MSRPM_BASE_PA") & PAGE) + offset;
  const [byte = 0] = mapBytes(machine, address, 1);
  const at = `byte ${hex(offset)} of the MSRPM, hpa:${hex(address)},`;
  if (((byte >> bit) & 1) === 0) {
    return { name: "MSR map", text: `${at} permits the access: ${CHANGED}`, address };
  }
  const what = `bit ${bit} (${write ? "write" : "read"} of MSR ${hex(msr)})`;
  return {
    name: "MSR map",
    text: `${at} is ${hex(byte)}: ${what} set`,
    address,
    bits: { offset: bit, width: 1 },
  };
}

function nestedEntry(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): Cause {
  const walk = nestedWalk(machine, exit, vmcb);
  if (walk.kind === "page") {
    const last = walk.levels.at(-1);
    return {
      name: "nested entry",
      text: "the nested tables allow the access now: the host has changed them since the exit",
      ...(last === undefined ? {} : { address: last.address, entry: last }),
    };
  }
  const entry = walk.culprit === undefined ? undefined : walk.levels[walk.culprit];
  if (entry === undefined) return { name: "nested entry", text: walk.reason };
  return {
    name: "nested entry",
    text: `${walk.reason}: ${hex(entry.value)} (${entryText(entry)})`,
    address: entry.address,
    entry,
  };
}
