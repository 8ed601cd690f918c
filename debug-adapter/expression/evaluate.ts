/** Evaluates a parsed expression over whatever its names stand for; it never changes anything. */
import { UserError } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import { ExpressionError } from "./lexer.ts";
import type { BinaryOperator, Node, UnaryOperator } from "./parser.ts";

/** What an expression is worth. A number or a text can be compared; an object has members. */
export interface Term {
  readonly number?: bigint;
  readonly text?: string;
  /** Where the value lies, as a memory reference. */
  readonly reference?: string;
  /** Where the value lives, if it can be assigned or watched. */
  readonly place?: ValuePlace;
  /** In bytes, where it is known. */
  readonly size?: number;
  /** How it is shown, where not simply as a number or text. */
  readonly shown?: string;
  readonly type?: string;
  readonly member?: (name: string) => Term | undefined;
  readonly index?: (index: bigint) => Term | undefined;
  readonly target?: () => Term | undefined;
  /** For the variables view. */
  readonly children?: (start: number, count: number) => readonly NamedTerm[];
  readonly childCount?: number;
}

export interface NamedTerm {
  readonly name: string;
  readonly term: Term;
}

/** What names, registers and memory mean where the expression is evaluated. */
export interface Names {
  name(name: string): Term | undefined;
  register(name: string): Term | undefined;
  /** Throws a UserError where the memory cannot be read. */
  memory(space: string, address: bigint, size: number): Term;
}

export const numberTerm = (number: bigint | number | boolean): Term => ({ number: BigInt(number) });
export const textTerm = (text: string): Term => ({ text });

/** Throws UserErrors. */
export function evaluate(node: Node, names: Names): Term {
  switch (node.kind) {
    case "number":
      return { number: node.value };
    case "string":
      return { text: node.value };
    case "name":
      return known(names.name(node.name), `${node.name} is not known here`);
    case "register":
      return known(names.register(node.name), `there is no register ${node.name}`);
    case "unary":
      return unary(node.operator, evaluate(node.operand, names));
    case "binary":
      return binary(node.operator, node.left, node.right, names);
    case "member": {
      const object = evaluate(node.object, names);
      return known(object.member?.(node.name), `there is no member ${node.name}`);
    }
    case "index": {
      const index = numberOf(evaluate(node.index, names));
      return known(evaluate(node.object, names).index?.(index), "this cannot be indexed so");
    }
    case "memory": {
      const size = node.size === undefined ? 8n : numberOf(evaluate(node.size, names));
      if (size < 1n || size > 16n) {
        throw new ExpressionError("a size from 1 to 16 bytes is possible", node.at);
      }
      return names.memory(node.space, numberOf(evaluate(node.address, names)), Number(size));
    }
  }
}

/** Whether a condition holds: a number that is not 0. */
export function isTrue(term: Term): boolean {
  return numberOf(term) !== 0n;
}

function known(term: Term | undefined, problem: string): Term {
  if (term === undefined) throw new UserError(problem);
  return term;
}

export function numberOf(term: Term): bigint {
  if (term.number !== undefined) return term.number;
  if (term.text !== undefined) throw new UserError(`"${term.text}" is not a number`);
  throw new UserError(`${term.shown ?? "this value"} is not a number`);
}

function unary(operator: UnaryOperator, term: Term): Term {
  switch (operator) {
    case "*":
      return known(term.target?.(), "this is not a pointer");
    case "&": {
      const address = term.reference?.split(":").at(-1);
      if (address === undefined) throw new UserError("this has no address");
      return { number: BigInt(address), reference: term.reference as string };
    }
    case "-":
      return { number: -numberOf(term) };
    case "+":
      return { number: numberOf(term) };
    case "~":
      return { number: BigInt.asUintN(64, ~numberOf(term)) };
    case "!":
      return numberTerm(!isTrue(term));
  }
}

function binary(operator: BinaryOperator, left: Node, right: Node, names: Names): Term {
  const a = evaluate(left, names);
  if (operator === "&&") return numberTerm(isTrue(a) && isTrue(evaluate(right, names)));
  if (operator === "||") return numberTerm(isTrue(a) || isTrue(evaluate(right, names)));
  const b = evaluate(right, names);
  if (operator === "==" || operator === "!=") {
    return numberTerm(same(a, b) === (operator === "=="));
  }
  return arithmetic(operator, numberOf(a), numberOf(b));
}

function same(a: Term, b: Term): boolean {
  const isText = a.text !== undefined && a.number === undefined;
  const otherIsText = b.text !== undefined && b.number === undefined;
  if (isText !== otherIsText) {
    throw new UserError("a text and a number cannot be compared");
  }
  return isText ? a.text?.toUpperCase() === b.text?.toUpperCase() : numberOf(a) === numberOf(b);
}

function arithmetic(
  operator: Exclude<BinaryOperator, "||" | "&&" | "==" | "!=">,
  a: bigint,
  b: bigint,
): Term {
  switch (operator) {
    case "<":
      return numberTerm(a < b);
    case "<=":
      return numberTerm(a <= b);
    case ">":
      return numberTerm(a > b);
    case ">=":
      return numberTerm(a >= b);
    case "+":
      return { number: a + b };
    case "-":
      return { number: a - b };
    case "*":
      return { number: a * b };
    case "/":
    case "%":
      if (b === 0n) throw new UserError("division by zero");
      return { number: operator === "/" ? a / b : a % b };
    case "&":
      return { number: a & b };
    case "|":
      return { number: a | b };
    case "^":
      return { number: a ^ b };
    case "<<":
    case ">>":
      if (b < 0n || b > 63n) throw new UserError("a shift by 0 to 63 bits is possible");
      return { number: operator === "<<" ? BigInt.asUintN(64, a << b) : a >> b };
  }
}
