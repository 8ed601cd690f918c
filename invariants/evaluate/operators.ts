/** The operators on values: Kleene's tables for booleans, mathematical integers, ranges by their bytes. */
import type { BinaryOperator } from "../language/syntax.ts";
import { isUnknown, type Result, sameResult, Unknown } from "./value.ts";

const MOST_SHIFT = 4096n;

type IntegerOperator = Exclude<BinaryOperator, "=>" | "<=>" | "||" | "&&" | "==" | "!=">;

const shift = (by: bigint, make: () => bigint): Result =>
  by < 0n || by > MOST_SHIFT ? new Unknown(`a shift by ${by} bits has no meaning`) : make();

const divide = (by: bigint, make: () => bigint): Result =>
  by === 0n ? new Unknown("it divides by zero") : make();

const INTEGERS: { readonly [O in IntegerOperator]: (a: bigint, b: bigint) => Result } = {
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "&": (a, b) => a & b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<<": (a, b) => shift(b, () => a << b),
  ">>": (a, b) => shift(b, () => a >> b),
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => divide(b, () => a / b),
  "%": (a, b) => divide(b, () => a % b),
};

/** Operators that need both sides. */
export function strict(operator: BinaryOperator, left: Result, right: Result): Result {
  if (isUnknown(left)) return left;
  if (isUnknown(right)) return right;
  if (operator === "==" || operator === "<=>") return sameResult(left, right);
  if (operator === "!=") return !sameResult(left, right);
  const compute = INTEGERS[operator as IntegerOperator];
  return compute(left as bigint, right as bigint);
}

/** One side decides: false for &&, true for ||; a => b is !a || b. */
export function lazily(operator: "&&" | "||" | "=>", left: Result, right: () => Result): Result {
  const decides = operator === "||";
  const first = operator === "=>" ? negated(left) : left;
  const decisive = operator === "&&" ? false : decides || operator === "=>";
  if (first === decisive) return decisive;
  const second = right();
  if (second === decisive) return decisive;
  return isUnknown(first) ? first : second;
}

export function negated(value: Result): Result {
  return isUnknown(value) ? value : value !== true;
}
