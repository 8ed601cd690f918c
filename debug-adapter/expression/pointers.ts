/** Pointers in expressions: arithmetic, comparison, addresses and casts. */
import { sizeOf, stripped, type Type, typeName } from "../../symbols/types.ts";
import { UserError } from "../text.ts";
import { converted, numberOf, typedNumber } from "./arithmetic.ts";
import { longOf, pointerTo, type WordSize } from "./base-types.ts";
import { NOWHERE } from "./home.ts";
import { asObject, objectTerm, valueTerm } from "./object.ts";
import type { Names, Term } from "./term.ts";

/** Bytes of a pointer where the names come from. */
export const wordOf = (names: Names): WordSize => names.types?.wordSize ?? 8;

/** An array as a pointer to its first element; anything else as it is. */
export function decayed(term: Term, names: Names): Term {
  if (term.ctype === undefined) return term;
  const type = stripped(term.ctype);
  if (type.kind !== "array") return term;
  const { place, home } = term;
  if (place?.kind !== "memory" || home === undefined) {
    throw new UserError(
      `${term.type} has no address: ${term.fixedBecause ?? "it is not in memory"}`,
    );
  }
  return valueTerm(home, pointerTo(type.element, wordOf(names)), place.address);
}

/** What a pointer points at; undefined for what is no pointer. */
export function targetType(term: Term): Type | undefined {
  const type = term.ctype && stripped(term.ctype);
  return type?.kind === "pointer" ? type.target : undefined;
}

/** Bytes between two elements; 1 for void and functions, as gcc has it. */
function stride(target: Type): bigint {
  const { kind } = stripped(target);
  if (kind === "void" || kind === "function") return 1n;
  const size = sizeOf(target);
  if (size === undefined) throw new UserError(`the size of ${typeName(target)} is not known`);
  return BigInt(size);
}

/** p + n, n + p, p - n and p - q; undefined where neither is a pointer. */
export function pointerArithmetic(
  operator: string,
  left: Term,
  right: Term,
  names: Names,
): Term | undefined {
  const [to, toRight] = [targetType(left), targetType(right)];
  if (to === undefined && toRight === undefined) return undefined;
  if (to !== undefined && toRight !== undefined) {
    if (operator !== "-") throw new UserError(`two pointers have no ${operator}`);
    const size = stride(to);
    if (size === 0n) throw new UserError(`${typeName(to)} has no size to divide by`);
    return typedNumber((numberOf(left) - numberOf(right)) / size, longOf(wordOf(names)));
  }
  const pointer = to === undefined ? right : left;
  const count = to === undefined ? left : right;
  const isPossible = operator === "+" || (operator === "-" && to !== undefined);
  if (!isPossible) throw new UserError(`a pointer has no ${operator} with a number`);
  const distance = numberOf(count) * stride((to ?? toRight) as Type);
  const address = numberOf(pointer) + (operator === "+" ? distance : -distance);
  return valueTerm(pointer.home ?? NOWHERE, pointer.ctype as Type, address);
}

/** &x. Throws a UserError where it has no address. */
export function addressOf(term: Term, names: Names): Term {
  const { place } = term;
  if (place?.kind === "memory" && term.ctype !== undefined) {
    if (place.bits !== undefined) throw new UserError("a bit field has no address");
    return valueTerm(term.home ?? NOWHERE, pointerTo(term.ctype, wordOf(names)), place.address);
  }
  if (place?.kind === "memory") return { number: place.address, ...referenceOf(term) };
  if (place?.kind === "register" || place?.kind === "msr") {
    throw new UserError("this is in a register and has no address");
  }
  const text = term.reference?.split(":").at(-1);
  if (asObject(term) !== undefined || text === undefined) {
    throw new UserError(`this has no address${term.fixedBecause ? `: ${term.fixedBecause}` : ""}`);
  }
  return { number: BigInt(text), ...referenceOf(term) };
}

const referenceOf = ({ reference }: Term) => (reference === undefined ? {} : { reference });

/** (type)term. Memory of a named space is looked at as the type, or pointed at by a pointer type. */
export function cast(term: Term, to: Type, names: Names): Term {
  const type = stripped(to);
  const { place, home } = term;
  if (term.isMemory && place?.kind === "memory" && home !== undefined) {
    if (type.kind === "pointer") return valueTerm(home, to, place.address);
    return objectTerm(home, to, { kind: "memory", address: place.address });
  }
  const value = decayed(term, names);
  switch (type.kind) {
    case "base":
      if (type.base === "other") break;
      return converted(value, type);
    case "enum":
      return valueTerm(home ?? NOWHERE, to, numberOf(value));
    case "pointer":
      return valueTerm(value.home ?? names.home ?? NOWHERE, to, numberOf(value));
    default:
      if (term.ctype !== undefined && typeName(stripped(term.ctype)) === typeName(type))
        return term;
  }
  const hint =
    type.kind === "struct" || type.kind === "union"
      ? `; point at it, *(${typeName(to)} *)address, or name its space, (${typeName(to)})@hpa(address)`
      : "";
  throw new UserError(`a value cannot be cast to ${typeName(to)}${hint}`);
}
