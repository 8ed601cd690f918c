/** How terms are shown. */
import type { Term } from "./expression/evaluate.ts";
import type { NumberFormat } from "./protocol.ts";
import { hex } from "./text.ts";

/** Writes a number as the session, or one request, wants numbers. */
export interface ShowNumber {
  (value: bigint | number): string;
  readonly format: NumberFormat;
}

const hexadecimal: ShowNumber = Object.assign(
  (value: bigint | number) => (value < 0 ? `-${hex(-value)}` : hex(value)),
  { format: "hexadecimal" } as const,
);
const decimal: ShowNumber = Object.assign((value: bigint | number) => String(value), {
  format: "decimal",
} as const);

export const showNumber = (format: NumberFormat): ShowNumber =>
  format === "decimal" ? decimal : hexadecimal;

/** Numbers as a request wants them, else as the session does. */
export function showIn(
  { client }: { readonly client: { readonly numberFormat: NumberFormat } },
  format: { readonly hex?: boolean } | undefined,
): ShowNumber {
  return showNumber(format?.hex ? "hexadecimal" : client.numberFormat);
}

export function formatTerm(term: Term, show: ShowNumber = hexadecimal): string {
  if (term.show !== undefined) return term.show({ hex: show.format === "hexadecimal" });
  if (term.shown !== undefined) return term.shown;
  if (term.number !== undefined) return show(term.number);
  if (term.text !== undefined) return term.text;
  return "{...}";
}
