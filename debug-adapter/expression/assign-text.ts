/** Assignment of what a user typed into a field for a value. */
import { stripped } from "../../symbols/types.ts";
import { store } from "./assign.ts";
import { evaluate } from "./evaluate.ts";
import { parse } from "./parser.ts";
import type { Names, Term } from "./term.ts";

/** Stores the value of the text and returns what is there then. Throws UserErrors. */
export function assignText(target: Term, text: string, names: Names): Term {
  const value = typedValue(target, text, names);
  store(target, value, true, names);
  if (target.again !== undefined) return target.again();
  const width = target.place?.bits?.width ?? (target.size ?? 8) * 8;
  return { ...target, number: BigInt.asUintN(width, value.number ?? 0n) };
}

/** An enumeration's own names come first, and a boolean's words. */
function typedValue(target: Term, text: string, names: Names): Term {
  const type = target.ctype && stripped(target.ctype);
  const word = text.trim();
  if (type?.kind === "enum") {
    const named = type.enumerators.find(({ name }) => name === word);
    if (named) return { number: named.value };
  }
  const isBoolean = type?.kind === "base" && type.base === "boolean";
  if (isBoolean && (word === "true" || word === "false"))
    return { number: word === "true" ? 1n : 0n };
  return evaluate(parse(text), names);
}
