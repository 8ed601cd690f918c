/** The conditions of `--where`: NAME, a comparison, a value; for names of exits and fields a list. */
import {
  exitByName,
  type LedgerCondition,
  VMCB_FIELDS,
  type VmcbFieldName,
} from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";

const WIDE = {
  info1: "info1",
  info2: "info2",
  rip: "guestRip",
  guestRip: "guestRip",
  cr3: "cr3",
} as const;
const NARROW = ["icount", "idleTicks", "events", "cost"] as const;
const NAMES = ["reason", "guest", "number", ...NARROW, ...Object.keys(WIDE), "changed"];

type Comparison = "=" | "<" | "<=" | ">" | ">=";

/** Both ends belong to the range. */
function range(comparison: Comparison, value: bigint): { min?: bigint; max?: bigint } {
  switch (comparison) {
    case "=":
      return { min: value, max: value };
    case "<":
      return { max: value - 1n };
    case "<=":
      return { max: value };
    case ">":
      return { min: value + 1n };
    case ">=":
      return { min: value };
  }
}

function numbers({ min, max }: { min?: bigint; max?: bigint }): { min?: number; max?: number } {
  return {
    ...(min === undefined ? {} : { min: Number(min) }),
    ...(max === undefined ? {} : { max: Number(max) }),
  };
}

/** Decimal or 0x hexadecimal. */
function whole(text: string, value: string): bigint {
  if (/^(\d+|0x[\da-f]+)$/i.test(value)) return BigInt(value);
  throw new BadInput(`--where "${text}": "${value}" is not a whole number`);
}

function exitCode(text: string, value: string): number {
  const exit = exitByName(value.toUpperCase());
  if (exit !== undefined) return exit.code;
  if (/^(\d+|0x[\da-f]+)$/i.test(value)) return Number(BigInt(value));
  throw new BadInput(`--where "${text}": "${value}" is no exit; give a name such as NPF or a code`);
}

function fieldName(text: string, value: string): VmcbFieldName {
  const found = (Object.keys(VMCB_FIELDS) as VmcbFieldName[]).find(
    (name) => name.toUpperCase() === value.toUpperCase(),
  );
  if (found !== undefined) return found;
  throw new BadInput(`--where "${text}": "${value}" is no field of the VMCB; give one such as RIP`);
}

/** "cost>=1000", "reason=NPF,CPUID", "changed=RIP". Throws BadInput. */
export function parseWhere(text: string): LedgerCondition {
  const match = /^\s*(\w+)\s*(<=|>=|=|<|>)\s*(.*?)\s*$/.exec(text);
  const [, name = "", sign = "=", value = ""] = match ?? [];
  const comparison = sign as Comparison;
  const needsEqual = (): void => {
    if (comparison !== "=")
      throw new BadInput(`--where "${text}": ${name} can only be compared by =`);
  };
  if (name === "reason") {
    needsEqual();
    return { kind: "reason", codes: value.split(",").map((each) => exitCode(text, each.trim())) };
  }
  if (name === "changed") {
    needsEqual();
    return { kind: "changed", field: fieldName(text, value) };
  }
  if (name === "guest") {
    const found = range(comparison, whole(text, value));
    return { kind: "range", column: "guest", ...numbers(found) };
  }
  if (name === "number")
    return { kind: "number", ...numbers(range(comparison, whole(text, value))) };
  const narrow = NARROW.find((each) => each === name);
  if (narrow !== undefined) {
    return { kind: "range", column: narrow, ...numbers(range(comparison, whole(text, value))) };
  }
  if (Object.hasOwn(WIDE, name)) {
    const column = WIDE[name as keyof typeof WIDE];
    return { kind: "wide", column, ...range(comparison, whole(text, value)) };
  }
  throw new BadInput(
    `--where "${text}" is no condition: give a name (${NAMES.join(", ")}), one of = < <= > >=, and a value`,
  );
}
