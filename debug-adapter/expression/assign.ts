/** Assignment: what is written where, for every kind of place. */
import { sizeOf, stripped, typeName } from "../../symbols/types.ts";
import { hex, UserError } from "../text.ts";
import { converted, numberOf } from "./arithmetic.ts";
import { floatBits } from "./floats.ts";
import { asObject } from "./object.ts";
import { decayed } from "./pointers.ts";
import type { Names, Term } from "./term.ts";

/**
 * Stores what `value` is worth in what `target` names, and returns what is there then; with
 * `isPostfix` what was there before. `isPlain`: a value that does not fit is refused, not cut.
 */
export function assigned(
  target: (names: Names) => Term,
  value: (names: Names) => Term,
  isPlain: boolean,
  isPostfix: boolean,
  names: Names,
): Term {
  const old = target(names);
  const before = isPostfix ? { ...plainValue(old) } : undefined;
  store(old, value(names), isPlain, names);
  return before ?? target(names);
}

function plainValue({ number, real, ctype, type }: Term): Term {
  return { number, real, ctype, type };
}

/** Throws a UserError that says why it cannot be; then nothing has changed. */
export function store(target: Term, value: Term, isPlain: boolean, names: Names): void {
  if (names.store === undefined) {
    throw new UserError("Nothing is changed here: assign in the debug console.");
  }
  const { place } = target;
  if (place === undefined) {
    throw new UserError(`This cannot be assigned: ${target.fixedBecause ?? "it is no variable"}.`);
  }
  names.store(place, encoded(target, value, isPlain, names));
}

function encoded(target: Term, value: Term, isPlain: boolean, names: Names): bigint | Uint8Array {
  const type = target.ctype && stripped(target.ctype);
  if (type === undefined) {
    const number = numberOf(value);
    const place = target.place;
    const bits = place?.bits?.width ?? (target.size ?? 8) * 8;
    if (isPlain) checkFit(number, bits);
    return number;
  }
  switch (type.kind) {
    case "base": {
      if (type.base === "other") break;
      const { number, real } = converted(value, type);
      if (real !== undefined) return floatBits(real, type.size) ?? 0n;
      const width = target.bitWidth ?? type.size * 8;
      if (isPlain && value.number !== undefined && type.base !== "boolean") {
        checkFit(value.number, width, target.bitWidth === undefined ? type.name : undefined);
      }
      return number ?? 0n;
    }
    case "enum":
      if (isPlain) checkFit(numberOf(value), target.bitWidth ?? type.size * 8, typeName(type));
      return numberOf(value);
    case "pointer": {
      const address = numberOf(decayed(value, names));
      if (isPlain) checkFit(address, type.size * 8, typeName(type));
      return BigInt.asUintN(type.size * 8, address);
    }
    case "array":
      if (value.text !== undefined) return textBytes(target, value.text);
      return sameBytes(target, value);
    case "struct":
    case "union":
      return sameBytes(target, value);
    default:
  }
  throw new UserError(`A value of type ${target.type} cannot be assigned.`);
}

function checkFit(value: bigint, bits: number, what?: string): void {
  const limit = 1n << BigInt(bits);
  if (value < limit && value >= -(limit >> 1n)) return;
  const shown = value < 0n ? `-${hex(-value)}` : hex(value);
  const where = what === undefined ? `${bits} bits` : `${what} (${bits} bits)`;
  throw new UserError(`${shown} does not fit in ${where}.`);
}

/** Only an object of the same type can be copied. */
function sameBytes(target: Term, value: Term): Uint8Array {
  const bytes = asObject(value)?.bytes();
  const [to, from] = [target.ctype, value.ctype];
  const isSame = to && from && typeName(stripped(to)) === typeName(stripped(from));
  if (bytes !== undefined && isSame && bytes.length === sizeOf(to)) return bytes;
  throw new UserError(`${target.type} takes only a value of the same type.`);
}

/** A string with its NUL; bytes of the array behind it stay. */
function textBytes(target: Term, text: string): Uint8Array {
  const type = target.ctype && stripped(target.ctype);
  const element = type?.kind === "array" ? sizeOf(type.element) : undefined;
  const bytes = asObject(target)?.bytes()?.slice();
  if (element !== 1 || bytes === undefined) {
    throw new UserError(`A text cannot be assigned to ${target.type}.`);
  }
  const wanted = Uint8Array.from([...text].map((each) => each.charCodeAt(0)).concat(0));
  if (wanted.length > bytes.length) {
    throw new UserError(`"${text}" takes ${wanted.length} bytes, and ${target.type} has fewer.`);
  }
  bytes.set(wanted);
  return bytes;
}
