/** How terms are shown. */
import type { Term } from "./expression/evaluate.ts";
import { hex } from "./text.ts";

/** Hexadecimal numbers; negative ones with their sign. */
export function formatNumber(value: bigint): string {
  return value < 0n ? `-${hex(-value)}` : hex(value);
}

export function formatTerm(term: Term): string {
  if (term.shown !== undefined) return term.shown;
  if (term.number !== undefined) return formatNumber(term.number);
  if (term.text !== undefined) return term.text;
  return "{...}";
}
