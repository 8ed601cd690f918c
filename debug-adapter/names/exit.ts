/** Names of an exit's fields; each is decoded when it is asked for. */
import { type ExitFields, exitFields, exitName } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import { type ExitRecord, exitReason, fieldsOf } from "../exits/exit-log.ts";
import type { Term } from "../expression/term.ts";
import { NotYetError } from "../text.ts";

type Read = (exit: ExitRecord) => Term;

const ZERO: Term = { number: 0n };
const reasons = new Map<bigint, Term>();

function reason(exit: ExitRecord): Term {
  let term = reasons.get(exit.code);
  if (term === undefined) {
    term = { text: exitReason(exit) };
    reasons.set(exit.code, term);
  }
  return term;
}

const low32 = (value: bigint | undefined) => BigInt.asUintN(32, value ?? 0n);

/** What every exit has. */
const COMMON: ReadonlyMap<string, Read> = new Map<string, Read>([
  ["reason", reason],
  ["number", ({ number }) => ({ number: BigInt(number) })],
  ["code", ({ code }) => ({ number: code })],
  ["info1", ({ info1 }) => ({ number: info1 })],
  ["info2", ({ info2 }) => ({ number: info2 })],
  ["exitinfo1", ({ info1 }) => ({ number: info1 })],
  ["exitinfo2", ({ info2 }) => ({ number: info2 })],
  ["rip", ({ guestRip }) => ({ number: guestRip })],
  ["leaf", ({ registers }) => ({ number: low32(registers.get("rax")) })],
]);
/** Fields that an exit does not have compare as 0, so that one condition serves all exits. */
const OTHERWISE_ZERO = new Set(["port", "size", "in", "msr", "write", "gpa", "vector"]);
/** Decoded from EXITINTINFO. */
const EVENT_FIELDS = new Set(["eventType", "eventVector"]);

export const EXIT_FIELD_NAMES: readonly string[] = [
  ...COMMON.keys(),
  ...OTHERWISE_ZERO,
  ...EVENT_FIELDS,
  ...["errorCode", "address", "register", "general"],
];

export class ExitFieldNames {
  private readonly debuggee: Debuggee;
  private readonly exit: ExitRecord;
  private decoded: ExitFields | undefined;

  constructor(debuggee: Debuggee, exit: ExitRecord) {
    this.debuggee = debuggee;
    this.exit = exit;
  }

  get(name: string): Term | undefined {
    const { exit } = this;
    const common = COMMON.get(name);
    if (common !== undefined) return common(exit);
    const isEvent = EVENT_FIELDS.has(name);
    const value = (isEvent ? fieldsOf(exit, this.debuggee.machine) : this.fields())[name];
    if (value === undefined) return OTHERWISE_ZERO.has(name) ? ZERO : undefined;
    return typeof value === "string" ? { text: value } : { number: BigInt(value) };
  }

  private fields(): ExitFields {
    if (this.decoded === undefined) {
      const { exit } = this;
      const { code, info1, info2 } = exit;
      // Only exits for MSRs look at RCX: the registers are collected when they are asked for.
      const rcx = exitName(code) === "MSR" ? (exit.registers.get("rcx") ?? 0n) : 0n;
      this.decoded = exitFields({ code, info1, info2, rcx });
    }
    return this.decoded;
  }
}

/** $exit: the fields of the last exit as members, which no variable hides. */
export function lastExitTerm(debuggee: Debuggee): Term {
  const exit = debuggee.exits.last;
  if (exit === undefined) throw new NotYetError("There was no exit yet.");
  const fields = new ExitFieldNames(debuggee, exit);
  const memberNames = () => EXIT_FIELD_NAMES.map((name) => ({ name }));
  const shown = `exit ${exit.number}, ${exitReason(exit)}`;
  return { shown, type: "exit", member: (name) => fields.get(name), memberNames };
}
