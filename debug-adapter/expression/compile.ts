/** Compiles parsed expressions to closures: conditions run at every exit. */
import { sizeOf, stripped } from "../../symbols/types.ts";
import { UserError } from "../text.ts";
import {
  type Arithmetic,
  arithmetic,
  balanced,
  compare,
  complement,
  holds,
  isComparison,
  isTrue,
  literalType,
  negated,
  numberOf,
  plus,
  realTerm,
  truth,
  typedNumber,
} from "./arithmetic.ts";
import { assigned } from "./assign.ts";
import {
  DOUBLE,
  FLOAT,
  longOf,
  namedType,
  resolveType,
  type TypeSource,
  unsignedLongOf,
} from "./base-types.ts";
import { ExpressionError } from "./lexer.ts";
import { asObject } from "./object.ts";
import { addressOf, cast, decayed, pointerArithmetic, targetType, wordOf } from "./pointers.ts";
import type { BinaryOperator, IntegerLiteral, Node, TypeName, UnaryOperator } from "./syntax.ts";
import type { Names, Term } from "./term.ts";

/** Throws UserErrors. */
export type Compiled = (names: Names) => Term;

const NO_TYPES: TypeSource = { wordSize: 8, typeNamed: () => undefined };
const typesOf = (names: Names): TypeSource => names.types ?? NO_TYPES;

type NodeOf<K extends Node["kind"]> = Extract<Node, { kind: K }>;
type Compilers = { readonly [K in Node["kind"]]: (node: NodeOf<K>) => Compiled };

const COMPILERS: Compilers = {
  integer: ({ value, literal }) => integer(value, literal),
  float: ({ value, isSingle }) => constant(realTerm(value, isSingle ? FLOAT : DOUBLE)),
  string: ({ value }) => constant({ text: value }),
  name:
    ({ name }) =>
    (names) =>
      names.name(name) ?? unknownName(name, names),
  qualified:
    ({ scope, name }) =>
    (names) =>
      names.qualified?.(scope, name) ?? missing(`${name} of ${scope} is not known here`),
  register:
    ({ name }) =>
    (names) =>
      names.register(name) ?? missing(`there is no register ${name}`),
  unary: ({ operator, operand }) => unary(operator, compile(operand)),
  binary: ({ operator, left, right }) => binary(operator, compile(left), compile(right)),
  conditional: ({ condition, whenTrue, whenFalse }) => {
    const [test, a, b] = [compile(condition), compile(whenTrue), compile(whenFalse)];
    return (names) => conditional(isTrue(test(names)), a, b, names);
  },
  member: ({ object, name, arrow }) => {
    const of = compile(object);
    if (arrow) return (names) => member(decayed(of(names), names), name);
    return (names) => member(of(names), name);
  },
  index: ({ object, index }) => {
    const [of, at] = [compile(object), compile(index)];
    return (names) => indexed(of(names), at(names));
  },
  cast: ({ type, operand }) => {
    const [resolve, value] = [resolver(type), compile(operand)];
    return (names) => cast(value(names), resolve(names), names);
  },
  sizeofType: ({ type }) => {
    const resolve = resolver(type);
    return (names) => sizeResult(sizeOf(resolve(names)), names);
  },
  sizeof: ({ operand }) => {
    const value = compile(operand);
    return (names) => sizeTerm(value(names), names);
  },
  memory: (node) => memory(node),
  assignment: ({ operator, target, value, isPostfix }) => {
    const [place, amount] = [compile(target), compile(value)];
    const change = operator && binary(operator, place, amount);
    return (names) => assigned(place, change ?? amount, change === undefined, isPostfix, names);
  },
  ambiguous: ({ names, parse }) => ambiguous(names, parse),
};

const compiled = new WeakMap<Node, Compiled>();

/** The same node is compiled once. */
export function compile(node: Node): Compiled {
  let found = compiled.get(node);
  if (found === undefined) {
    found = (COMPILERS[node.kind] as (node: Node) => Compiled)(node);
    compiled.set(node, found);
  }
  return found;
}

const constant =
  (term: Term): Compiled =>
  () =>
    term;

function missing(problem: string): never {
  throw new UserError(problem);
}

function unknownName(name: string, names: Names): never {
  if (namedType(name, typesOf(names))) throw new UserError(`${name} is a type, not a value`);
  throw new UserError(`${name} is not known here`);
}

function integer(value: bigint, literal: IntegerLiteral): Compiled {
  // C has no such literals; they are for registers of 128 bits.
  if (value >= 1n << 64n) return constant({ number: value, size: 16 });
  const [narrow, wide] = ([4, 8] as const).map((word) =>
    typedNumber(value, literalType(value, literal, longOf(word))),
  ) as [Term, Term];
  if (narrow.ctype === wide.ctype) return constant(wide);
  return (names) => (names.types?.wordSize === 4 ? narrow : wide);
}

function resolver(type: TypeName) {
  let last: { types: TypeSource; found: ReturnType<typeof resolveType> } | undefined;
  return (names: Names) => {
    const types = typesOf(names);
    if (last?.types !== types) last = { types, found: resolveType(type, types) };
    return last.found;
  };
}

/** Which names are types is known only where the expression is evaluated. */
function ambiguous(asked: readonly string[], parse: NodeOf<"ambiguous">["parse"]): Compiled {
  const variants = new Map<string, Compiled>();
  return (names) => {
    const types = typesOf(names);
    const isType = (name: string) =>
      names.name(name) === undefined && namedType(name, types) !== undefined;
    const found = new Set(asked.filter(isType));
    const key = [...found].join();
    let variant = variants.get(key);
    if (variant === undefined) {
      variant = compile(parse((name) => found.has(name)));
      variants.set(key, variant);
    }
    return variant(names);
  };
}

function unary(operator: UnaryOperator, operand: Compiled): Compiled {
  switch (operator) {
    case "*":
      return (names) => dereferenced(operand(names));
    case "&":
      return (names) => addressOf(operand(names), names);
    case "-":
      return (names) => negated(operand(names));
    case "+":
      return (names) => plus(operand(names));
    case "~":
      return (names) => complement(operand(names));
    case "!":
      return (names) => truth(!isTrue(operand(names)));
  }
}

function dereferenced(term: Term): Term {
  const target = term.target?.();
  if (target !== undefined) return target;
  if (term.unavailable !== undefined) throw new UserError(`not available: ${term.unavailable}`);
  const hint = term.number === undefined ? "" : "; cast it, as in *(int *)address";
  throw new UserError(`${term.type ?? "this"} is not a pointer${hint}`);
}

function binary(operator: BinaryOperator, left: Compiled, right: Compiled): Compiled {
  if (operator === "&&") return (names) => truth(isTrue(left(names)) && isTrue(right(names)));
  if (operator === "||") return (names) => truth(isTrue(left(names)) || isTrue(right(names)));
  if (operator === "==") return (names) => truth(same(left(names), right(names), names));
  if (operator === "!=") return (names) => truth(!same(left(names), right(names), names));
  if (isComparison(operator)) {
    return (names) => {
      const [a, b] = [decayed(left(names), names), decayed(right(names), names)];
      return truth(holds(operator, ordered(a, b)));
    };
  }
  return (names) => computed(operator, left(names), right(names), names);
}

function computed(operator: Arithmetic, left: Term, right: Term, names: Names): Term {
  const [a, b] = [decayed(left, names), decayed(right, names)];
  return pointerArithmetic(operator, a, b, names) ?? arithmetic(operator, a, b);
}

/** Pointers are ordered by address, also against plain numbers. */
function ordered(a: Term, b: Term): number {
  if (targetType(a) === undefined && targetType(b) === undefined) return compare(a, b);
  return compare({ number: address(a) }, { number: address(b) });
}

const address = (term: Term): bigint => BigInt.asUintN(64, numberOf(term));

function same(a: Term, b: Term, names: Names): boolean {
  if (a.text !== undefined || b.text !== undefined) return sameText(a, b);
  return ordered(decayed(a, names), decayed(b, names)) === 0;
}

/** Names of the machine compare without case; text in the program's memory exactly. */
function sameText(a: Term, b: Term): boolean {
  if (a.text !== undefined && b.text !== undefined) {
    if (a.text === b.text) return true;
    return a.text.length === b.text.length && a.text.toUpperCase() === b.text.toUpperCase();
  }
  const text = a.text ?? b.text ?? "";
  const object = asObject(a.text === undefined ? a : b);
  const string = object?.string(text.length + 1);
  if (string !== undefined) return string === text;
  const reason = object?.unavailable;
  throw new UserError(
    reason === undefined
      ? `the text "${text}" can only be compared with text`
      : `the text cannot be compared: ${reason}`,
  );
}

function conditional(holds: boolean, a: Compiled, b: Compiled, names: Names): Term {
  const chosen = decayed((holds ? a : b)(names), names);
  try {
    return balanced(chosen, (holds ? b : a)(names));
  } catch (caught) {
    // The branch that is not taken may have no value, and then decides nothing.
    if (caught instanceof UserError) return chosen;
    throw caught;
  }
}

function member(object: Term, name: string): Term {
  const found = object.member?.(name);
  if (found !== undefined) return found;
  if (object.unavailable !== undefined) throw new UserError(`not available: ${object.unavailable}`);
  const where = object.type === undefined ? "" : ` in ${object.type}`;
  throw new UserError(`there is no member ${name}${where}`);
}

function indexed(object: Term, index: Term): Term {
  const found = object.index?.(numberOf(index));
  if (found !== undefined) return found;
  if (object.unavailable !== undefined) throw new UserError(`not available: ${object.unavailable}`);
  throw new UserError(`${object.type ?? "this"} cannot be indexed so`);
}

function sizeTerm(term: Term, names: Names): Term {
  const type = term.ctype && stripped(term.ctype);
  if (term.bitWidth !== undefined) throw new UserError("a bit field has no size in bytes");
  const size = term.text !== undefined ? term.text.length + 1 : type ? term.size : (term.size ?? 8);
  return sizeResult(size, names);
}

function sizeResult(size: number | undefined, names: Names): Term {
  if (size === undefined) throw new UserError("the size of this type is not known");
  return typedNumber(BigInt(size), unsignedLongOf(wordOf(names)));
}

function memory({ space, address, size, at }: NodeOf<"memory">): Compiled {
  const [where, length] = [compile(address), size && compile(size)];
  return (names) => {
    const bytes = length === undefined ? 8n : numberOf(length(names));
    if (bytes < 1n || bytes > 16n) {
      throw new ExpressionError("a size from 1 to 16 bytes is possible", at);
    }
    const from = decayed(where(names), names);
    return names.memory(space, BigInt.asUintN(64, numberOf(from)), Number(bytes));
  };
}
