/** Values as messages show them. */
import type { Term } from "../language/term.ts";
import { type Bounds, isUnknown, type Result } from "./value.ts";

const MOST_BOUNDS = 6;
const hex = (value: bigint): string =>
  value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;

/** Small integers in decimal, others in hexadecimal; ranges with their space. */
export function valueText(value: Result): string {
  if (isUnknown(value)) return `unknown (${value.reason})`;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return value > -10n && value < 10n ? String(value) : hex(value);
  switch (value.kind) {
    case "range": {
      if (value.bounds.length === 0) return "no bytes";
      const shown = value.bounds.slice(0, MOST_BOUNDS).map((each) => boundsText(value.space, each));
      const more = value.bounds.length - shown.length;
      return `${shown.join(", ")}${more > 0 ? ` and ${more} more ranges` : ""}`;
    }
    case "record":
      return value.model.describe(value.of);
    case "list":
      return `a list of ${value.elements.length}`;
    case "c":
      return value.address === undefined ? "a value" : `the object at hva:${hex(value.address)}`;
  }
}

function boundsText(space: string, { first, end }: Bounds): string {
  return `${space}:${hex(first)}..${hex(end)}`;
}

/** "x = 1"; of a constant nothing, since its text says it. */
export function termValue(text: string, term: Term, value: Result): string | undefined {
  if (term.kind === "constant") return undefined;
  return `${text} = ${valueText(value)}`;
}
