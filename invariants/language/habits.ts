/** What C and other languages have and this one says otherwise: what to write instead. */
import type { EventName } from "./syntax.ts";

/** Operators as others write them, and their own. */
export const OTHER_OPERATORS: ReadonlyMap<string, string> = new Map([
  ["=", "=="],
  ["and", "&&"],
  ["or", "||"],
]);

export const operatorMessage = (written: string, meant: string): string =>
  written === "="
    ? '"=" gives a name its value: to compare, write =='
    : `"${written}" is no operator: write ${meant}`;

export const CAST_MESSAGE = "There are no casts, as integers have no width: leave the type out";

/** Names without a meaning here that people expect one of, and what they mean. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["NULL", "write 0"],
  ["nullptr", "write 0"],
  ["TRUE", "write true"],
  ["FALSE", "write false"],
  ["if", "write CONDITION ? ONE : OTHER"],
  ["not", "write !"],
  ["range", "write integers(FIRST, END) for a list, hpa(FIRST, BYTES) for memory"],
  ["all", "write forall x in LIST : ..."],
  ["any", "write exists x in LIST : ..."],
  ["len", "write length(LIST)"],
]);

/** Behind the sentence that there is no such name; empty for a name that nobody expects. */
export function insteadOf(name: string): string {
  const instead = OTHER_NAMES.get(name);
  return instead === undefined ? "" : `: ${instead}`;
}

/** What tells apart, in the expression, events that have numbers and no names, where only names are taken. */
export const NUMBER_OF: { readonly [E in EventName]?: string } = {
  exit: "exit.code",
  exception: "raised.vector",
};
