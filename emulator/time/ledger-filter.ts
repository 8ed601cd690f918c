/**
 * Conditions on exits as people write them: `reason=NPF,CPUID guest=1 cost>=1000 rip=0x1000..0x1fff`.
 * Of reasons, `reason!=IOIO,CPUID` is all but these.
 * A condition is a name, a comparison and a value; a name of an exit alone is its reason.
 */
import { exitByName } from "../svm/exits.ts";
import { VMCB_FIELDS, type VmcbFieldName } from "../svm/vmcb.ts";
import type { WideColumn } from "./ledger-columns.ts";
import type { LedgerCondition } from "./ledger-query.ts";

/** What is wrong with a filter, in one sentence. */
export class FilterError extends Error {
  override readonly name = "FilterError";
}

type Comparison = "=" | "<" | "<=" | ">" | ">=";
type Operator = Comparison | "!=";

/** Both ends belong to it; a missing one is open. */
interface Range {
  readonly min?: bigint;
  readonly max?: bigint;
}

const WIDE: Readonly<Record<string, WideColumn>> = {
  ...{ info1: "info1", info2: "info2", cr3: "cr3" },
  ...{ rip: "guestRip", guestRip: "guestRip" },
};
const NARROW = ["guest", "icount", "idleTicks", "events", "cost"] as const;

function numbers({ min, max }: Range): { min?: number; max?: number } {
  return {
    ...(min === undefined ? {} : { min: Number(min) }),
    ...(max === undefined ? {} : { max: Number(max) }),
  };
}

const onlyOf = (name: string): LedgerCondition => ({
  kind: "reason",
  codes: [exitByName(name)?.code as number],
});

const PORT_SHIFT = 16n;

/** What a range of each name's values means. */
const RANGES: Readonly<Record<string, (range: Range) => LedgerCondition[]>> = {
  number: (range) => [{ kind: "number", ...numbers(range) }],
  ...Object.fromEntries(
    NARROW.map((column) => [
      column,
      (range: Range): LedgerCondition[] => [{ kind: "range", column, ...numbers(range) }],
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(WIDE).map(([name, column]) => [
      name,
      (range: Range): LedgerCondition[] => [{ kind: "wide", column, ...range }],
    ]),
  ),
  // Section 15.10.2: EXITINFO1 has the port in bits 31:16, and nothing above.
  port: ({ min = 0n, max = 0xffffn }) => [
    onlyOf("IOIO"),
    {
      kind: "wide",
      column: "info1",
      min: min << PORT_SHIFT,
      max: ((max + 1n) << PORT_SHIFT) - 1n,
    },
  ],
  msr: (range) => [onlyOf("MSR"), { kind: "range", column: "ecx", ...numbers(range) }],
  gpa: (range) => [onlyOf("NPF"), { kind: "wide", column: "info2", ...range }],
};

const NAMES = ["reason", ...Object.keys(RANGES), "changed"];

const NUMBER = /^(?:\d+|0x[\da-f]+)$/i;

/** Decimal or 0x hexadecimal. */
function whole(condition: string, value: string): bigint {
  if (NUMBER.test(value)) return BigInt(value);
  throw new FilterError(`"${condition}": "${value}" is not a whole number`);
}

function rangeOf(condition: string, comparison: Comparison, text: string): Range {
  const [first = "", last] = text.split("..");
  if (last !== undefined && comparison === "=")
    return { min: whole(condition, first), max: whole(condition, last) };
  const value = whole(condition, text);
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

function exitCode(condition: string, value: string): number {
  const exit = exitByName(value.toUpperCase());
  if (exit !== undefined) return exit.code;
  if (NUMBER.test(value)) return Number(BigInt(value));
  throw new FilterError(`"${condition}": "${value}" is no exit; give a name such as NPF or a code`);
}

function fieldName(condition: string, value: string): VmcbFieldName {
  const found = (Object.keys(VMCB_FIELDS) as VmcbFieldName[]).find(
    (name) => name.toUpperCase() === value.toUpperCase(),
  );
  if (found !== undefined) return found;
  throw new FilterError(`"${condition}": "${value}" is no field of the VMCB; give one such as RIP`);
}

function reasons(condition: string, values: string, not = false): LedgerCondition {
  const codes = values.split(",").map((each) => exitCode(condition, each.trim()));
  return { kind: "reason", codes, ...(not ? { not } : {}) };
}

/** One condition; undefined where the name is none. */
function conditionsOf(
  text: string,
  name: string,
  operator: Operator,
  value: string,
): LedgerCondition[] | undefined {
  if (!NAMES.includes(name)) return undefined;
  if (name === "reason") {
    if (operator === "=" || operator === "!=") return [reasons(text, value, operator === "!=")];
    throw new FilterError(`"${text}": reason can only be compared by = and !=`);
  }
  if (operator === "!=") {
    const instead = name === "changed" ? "changed=RIP" : `${name}=1..5`;
    throw new FilterError(`"${text}": only reasons have !=; say what is wanted, as ${instead}`);
  }
  if (name !== "changed") return RANGES[name]?.(rangeOf(text, operator, value));
  if (operator === "=") return [{ kind: "changed", field: fieldName(text, value) }];
  throw new FilterError(`"${text}": changed can only be compared by =`);
}

const LIST = "[^\\s,=<>!]+(?:\\s*,\\s*[^\\s,=<>!]+)*";
const CONDITION = new RegExp(`(\\w+)\\s*(!=|<=|>=|=|<|>)\\s*(${LIST})(?=\\s|$)`, "y");
const EXITS_ALONE = /[A-Za-z]\w*(?:\s*,\s*\w+)*(?=\s|$)/y;

/** All of the conditions must hold. Throws a FilterError. */
export function parseFilter(text: string): LedgerCondition[] {
  const filter = text.trim();
  const conditions: LedgerCondition[] = [];
  let at = 0;
  while (at < filter.length) {
    CONDITION.lastIndex = EXITS_ALONE.lastIndex = at;
    const [whole, name = "", operator = "", value = ""] = CONDITION.exec(filter) ?? [];
    const alone = whole === undefined ? EXITS_ALONE.exec(filter)?.[0] : undefined;
    const found =
      whole !== undefined
        ? conditionsOf(whole, name, operator as Operator, value)
        : alone !== undefined && !NAMES.includes(alone)
          ? [reasons(alone, alone)]
          : undefined;
    if (found === undefined)
      throw new FilterError(
        `"${filter.slice(at)}" is no condition: give a name (${NAMES.join(", ")}), one of = != < <= > >=, and a value`,
      );
    conditions.push(...found);
    at += (whole ?? alone ?? "").length;
    while (/\s/.test(filter[at] ?? "")) at++;
  }
  return conditions;
}
