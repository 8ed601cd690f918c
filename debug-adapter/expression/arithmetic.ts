/** C's conversions and operators over numbers (ISO C 6.3.1 and 6.5). */
import { type BaseType, stripped, type Type, typeName } from "../../symbols/types.ts";
import { hex, UserError } from "../text.ts";
import {
  DOUBLE,
  INT,
  LONG_LONG,
  UNSIGNED,
  UNSIGNED_LONG_LONG,
  unsignedLongOf,
} from "./base-types.ts";
import type { BinaryOperator } from "./syntax.ts";
import type { ShowOptions, Term } from "./term.ts";

/** The arithmetic type of an operand after promotion; without `type` it is a machine word. */
export interface Kind {
  readonly size: number;
  readonly isSigned: boolean;
  readonly isFloat: boolean;
  /** Conversion rank: int, long, long long, wider. */
  readonly rank: number;
  readonly type: BaseType | undefined;
}

const WORD: Kind = { size: 8, isSigned: false, isFloat: false, rank: 9, type: undefined };
const WIDE: Kind = { ...WORD, size: 16 };

const kinds = new Map<BaseType, Kind>();

function kindOfBase(type: BaseType): Kind {
  let kind = kinds.get(type);
  if (kind === undefined) {
    const { size, isSigned, base, name } = type;
    const rank = size > 8 ? 4 : name.includes("long long") ? 3 : name.includes("long") ? 2 : 1;
    kind = { size, isSigned, isFloat: base === "float", rank, type };
    if (kinds.size < 1000) kinds.set(type, kind);
  }
  return kind;
}

const INT_KIND = kindOfBase(INT);
const UNSIGNED_KIND = kindOfBase(UNSIGNED);

/** The type that a value has in arithmetic. Throws a UserError for what has none. */
function promoted(term: Term): Kind {
  const { ctype } = term;
  if (ctype === undefined) {
    if (term.real !== undefined) return kindOfBase(DOUBLE);
    return term.size === 16 ? WIDE : WORD;
  }
  const type = stripped(ctype);
  if (type.kind === "enum") return type.isSigned || type.size < 4 ? INT_KIND : UNSIGNED_KIND;
  if (type.kind !== "base" || type.base === "other") throw noNumber(term);
  if (type.base === "float") return kindOfBase(type);
  const bits = term.bitWidth ?? type.size * 8;
  if (type.base === "boolean" || bits < 32) return INT_KIND;
  if (type.size < 4 || (type.size === 4 && type.isSigned)) return INT_KIND;
  return type.size === 4 && !type.name.includes("long") ? UNSIGNED_KIND : kindOfBase(type);
}

/** The usual arithmetic conversions. */
function common(a: Kind, b: Kind): Kind {
  if (a === b) return a;
  if (a.isFloat || b.isFloat) {
    if (a.isFloat && b.isFloat) return a.size >= b.size ? a : b;
    return a.isFloat ? a : b;
  }
  if (a.type === undefined || b.type === undefined) return a.size > 8 || b.size > 8 ? WIDE : WORD;
  const [high, low] = a.rank >= b.rank ? [a, b] : [b, a];
  if (high.isSigned === low.isSigned || !high.isSigned) return high;
  if (high.rank === low.rank) return low;
  if (high.size > low.size) return high;
  if (high.rank === 2) return kindOfBase(unsignedLongOf(high.size === 4 ? 4 : 8));
  return kindOfBase(UNSIGNED_LONG_LONG);
}

const wrapped = ({ size, isSigned }: Kind, value: bigint): bigint =>
  isSigned ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value);

/** A number of a C type that lives nowhere. */
class NumberTerm implements Term {
  readonly number: bigint;
  readonly ctype: BaseType;

  constructor(number: bigint, type: BaseType) {
    this.number = number;
    this.ctype = type;
  }

  get type(): string {
    return typeName(this.ctype);
  }

  get size(): number {
    return this.ctype.size;
  }

  get shown(): string {
    return this.show({});
  }

  show({ hex: inHex = true }: ShowOptions): string {
    const { number, ctype } = this;
    if (ctype.base === "boolean" && number < 2n) return number === 0n ? "false" : "true";
    const code = Number(BigInt.asUintN(8, number));
    const isShown = ctype.base === "char" && ctype.size === 1 && code >= 0x20 && code < 0x7f;
    const character = isShown ? ` '${String.fromCharCode(code)}'` : "";
    return `${inHex ? hex(BigInt.asUintN(ctype.size * 8, number)) : number}${character}`;
  }
}

export const typedNumber = (number: bigint, type: BaseType): Term => new NumberTerm(number, type);
export const realTerm = (real: number, type: BaseType): Term => {
  return { real, ctype: type, type: type.name, size: type.size, shown: String(real) };
};

const TRUE = typedNumber(1n, INT);
const FALSE = typedNumber(0n, INT);
export const truth = (value: boolean): Term => (value ? TRUE : FALSE);

function result(kind: Kind, value: bigint): Term {
  const number = wrapped(kind, value);
  if (kind.type !== undefined) return new NumberTerm(number, kind.type);
  return kind.size === 8 ? { number } : { number, size: kind.size };
}

/** The number of a term. Throws a UserError for what is none. */
export function numberOf(term: Term): bigint {
  if (term.number !== undefined) return term.number;
  throw noNumber(term);
}

function noNumber(term: Term): UserError {
  if (term.unavailable !== undefined) return new UserError(`not available: ${term.unavailable}`);
  if (term.text !== undefined) return new UserError(`"${term.text}" is not a number`);
  if (term.real !== undefined) return new UserError(`${term.real} is not a whole number`);
  return new UserError(`${term.type ?? term.shown ?? "this value"} is not a number`);
}

/** As a floating-point value. */
const realOf = (term: Term): number => term.real ?? Number(numberOf(term));

/** An operand in the common type: a whole number may lose bits. */
const realAs = ({ size }: Kind, term: Term): number =>
  size === 4 ? Math.fround(realOf(term)) : realOf(term);

function asReal(kind: Kind, value: number): Term {
  const type = kind.type ?? DOUBLE;
  if (type.size > 8) throw new UserError(`arithmetic of ${type.name} is not supported`);
  return realTerm(type.size === 4 ? Math.fround(value) : value, type);
}

/** Whether a value is not 0. Throws a UserError for what is neither. */
export function isTrue(term: Term): boolean {
  if (term.number !== undefined) return term.number !== 0n;
  if (term.real !== undefined) return term.real !== 0;
  if (term.ctype !== undefined && stripped(term.ctype).kind === "array") return true;
  return numberOf(term) !== 0n;
}

type Comparison = "<" | "<=" | ">" | ">=" | "==" | "!=";

export const isComparison = (operator: BinaryOperator): operator is Comparison =>
  /^(?:[<>]=?|[=!]=)$/.test(operator);

/** -1, 0 or 1; NaN where the two have no order. */
export function compare(a: Term, b: Term): number {
  if (a.ctype === undefined && b.ctype === undefined && a.real === undefined) {
    if (b.real === undefined) return order(numberOf(a), numberOf(b));
  }
  const kind = common(promoted(a), promoted(b));
  if (!kind.isFloat) return order(wrapped(kind, numberOf(a)), wrapped(kind, numberOf(b)));
  const [x, y] = [realAs(kind, a), realAs(kind, b)];
  return Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : x < y ? -1 : x > y ? 1 : 0;
}

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

export function holds(operator: Comparison, ordered: number): boolean {
  switch (operator) {
    case "==":
      return ordered === 0;
    case "!=":
      return ordered !== 0;
    case "<":
      return ordered < 0;
    case "<=":
      return ordered <= 0;
    case ">":
      return ordered > 0;
    case ">=":
      return ordered >= 0;
  }
}

export type Arithmetic = Exclude<BinaryOperator, "||" | "&&" | Comparison>;

export function arithmetic(operator: Arithmetic, left: Term, right: Term): Term {
  const [a, b] = [promoted(left), promoted(right)];
  if (operator === "<<" || operator === ">>") return shift(operator, a, left, right);
  const kind = common(a, b);
  if (kind.isFloat) return asReal(kind, real(operator, realAs(kind, left), realAs(kind, right)));
  return result(
    kind,
    whole(operator, wrapped(kind, numberOf(left)), wrapped(kind, numberOf(right))),
  );
}

/** The type of a shift is that of its left side. */
function shift(operator: "<<" | ">>", kind: Kind, left: Term, right: Term): Term {
  const [value, count] = [numberOf(left), numberOf(right)];
  if (kind.isFloat) throw noNumber(left);
  const width = kind.size * 8;
  if (count < 0n || count >= BigInt(width)) {
    const what = kind.type?.name ?? "a machine word";
    throw new UserError(
      `a shift of ${what} by ${count} is undefined: 0 to ${width - 1} is possible`,
    );
  }
  const from = wrapped(kind, value);
  return result(kind, operator === "<<" ? from << count : from >> count);
}

function whole(operator: Exclude<Arithmetic, "<<" | ">>">, a: bigint, b: bigint): bigint {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "&":
      return a & b;
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "/":
    case "%":
      if (b === 0n) throw new UserError("division by zero");
      return operator === "/" ? a / b : a % b;
  }
}

function real(operator: Exclude<Arithmetic, "<<" | ">>">, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    default:
      throw new UserError(`${operator} needs whole numbers`);
  }
}

export function negated(term: Term): Term {
  const kind = promoted(term);
  return kind.isFloat ? asReal(kind, -realOf(term)) : result(kind, -numberOf(term));
}

export function plus(term: Term): Term {
  const kind = promoted(term);
  return kind.isFloat ? asReal(kind, realOf(term)) : result(kind, numberOf(term));
}

export function complement(term: Term): Term {
  const kind = promoted(term);
  if (kind.isFloat) throw noNumber(term);
  return result(kind, ~wrapped(kind, numberOf(term)));
}

/** The common type of the two values of a conditional, where both are numbers. */
export function balanced(term: Term, other: Term): Term {
  if (term.number === undefined && term.real === undefined) return term;
  if (other.number === undefined && other.real === undefined) return term;
  if (!isArithmetic(term.ctype) || !isArithmetic(other.ctype)) return term;
  const kind = common(promoted(term), promoted(other));
  return kind.isFloat ? asReal(kind, realOf(term)) : result(kind, numberOf(term));
}

const isArithmetic = (type: Type | undefined): boolean => {
  const plain = type && stripped(type);
  return plain === undefined || plain.kind === "base" || plain.kind === "enum";
};

/** A number or float as a value of a base type, as an assignment or cast converts it. */
export function converted(term: Term, type: BaseType): Term {
  if (type.base === "float") {
    if (type.size > 8) throw new UserError(`conversion to ${type.name} is not supported`);
    const value = realOf(term);
    return realTerm(type.size === 4 ? Math.fround(value) : value, type);
  }
  if (type.base === "boolean") return typedNumber(isTrue(term) ? 1n : 0n, type);
  const bits = type.size * 8;
  let value = term.number;
  if (value === undefined && term.real !== undefined) {
    const whole = Math.trunc(term.real);
    const [low, high] = type.isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1)] : [0, 2 ** bits];
    if (!(whole >= low && whole < high)) {
      throw new UserError(`${term.real} does not fit in ${type.name}`);
    }
    value = BigInt(whole);
  }
  value ??= numberOf(term);
  const number = type.isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  return typedNumber(number, type);
}

/** The type of an integer literal (ISO C 6.4.4.1). */
export function literalType(
  value: bigint,
  { isDecimal, isUnsigned, longs }: { isDecimal: boolean; isUnsigned: boolean; longs: number },
  long: BaseType,
): BaseType {
  const unsignedLong = unsignedLongOf(long.size === 4 ? 4 : 8);
  const ladder: readonly (readonly [BaseType, BaseType])[] = [
    [INT, UNSIGNED],
    [long, unsignedLong],
    [LONG_LONG, UNSIGNED_LONG_LONG],
  ];
  for (const [signed, unsigned] of ladder.slice(longs)) {
    const bits = signed.size * 8;
    if (!isUnsigned && value < 1n << BigInt(bits - 1)) return signed;
    if ((isUnsigned || !isDecimal) && value < 1n << BigInt(bits)) return unsigned;
  }
  return UNSIGNED_LONG_LONG;
}
