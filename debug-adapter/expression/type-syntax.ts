/** Parses the names of C types, with pointers, arrays and functions around them. */
import { ExpressionError, type Token } from "./lexer.ts";
import type { Derivation, TypeName } from "./syntax.ts";

export interface TokenReader {
  readonly token: Token;
  take(): Token;
  accept(...operators: readonly string[]): Token | undefined;
  expect(operator: string): void;
  nested<T>(at: number, read: () => T): T;
}

const TAGS: readonly string[] = ["struct", "union", "enum"];
const BASE_WORDS: readonly string[] = [
  ...["char", "short", "int", "long", "signed", "unsigned", "float", "double", "_Bool", "bool"],
  ...["void", "__int128"],
];
const QUALIFIERS: readonly string[] = ["const", "volatile", "restrict", "_Atomic"];

/** Whether the token can only begin a type. */
export function startsType({ kind, text }: Token): boolean {
  return kind === "name" && [TAGS, BASE_WORDS, QUALIFIERS].some((words) => words.includes(text));
}

/** A type without a declared name, as in a cast. Throws an ExpressionError. */
export function typeName(reader: TokenReader): TypeName {
  qualifiers(reader);
  const name = specifier(reader);
  qualifiers(reader);
  return { name, derivations: declarator(reader) };
}

function qualifiers(reader: TokenReader): void {
  while (reader.token.kind === "name" && QUALIFIERS.includes(reader.token.text)) reader.take();
}

function specifier(reader: TokenReader): string {
  const first = reader.take();
  if (first.kind !== "name") throw new ExpressionError("a type's name expected", first.at);
  if (TAGS.includes(first.text)) {
    const tag = reader.take();
    if (tag.kind !== "name") throw new ExpressionError(`a ${first.text}'s name expected`, tag.at);
    return `${first.text} ${tag.text}`;
  }
  if (!BASE_WORDS.includes(first.text)) return first.text;
  const words = [first.text];
  for (;;) {
    qualifiers(reader);
    const { kind, text } = reader.token;
    if (kind !== "name" || !BASE_WORDS.includes(text)) break;
    words.push(reader.take().text);
  }
  return baseName(words) ?? fail(words, first.at);
}

function fail(words: readonly string[], at: number): never {
  throw new ExpressionError(`"${words.join(" ")}" is no type`, at);
}

/** gcc's name of the base type that the words say in any order; undefined for none. */
function baseName(words: readonly string[]): string | undefined {
  const count = (word: string) => words.filter((each) => each === word).length;
  const [longs, shorts] = [count("long"), count("short")];
  const isUnsigned = count("unsigned") > 0;
  const sign = count("signed") + count("unsigned");
  const others = words.filter((each) => !["long", "short", "signed", "unsigned"].includes(each));
  const [base = "int", ...more] = others;
  if (more.length > 0 || sign > 1 || longs > 2 || shorts > 1 || longs * shorts > 0)
    return undefined;
  if (base === "int") {
    const length = shorts > 0 ? "short " : "long ".repeat(longs);
    if (length === "") return isUnsigned ? "unsigned int" : "int";
    return `${length}${isUnsigned ? "unsigned " : ""}int`;
  }
  if (base === "double" && sign === 0 && shorts === 0 && longs < 2) {
    return longs === 1 ? "long double" : "double";
  }
  if (longs + shorts > 0) return undefined;
  if (base === "char") return sign === 0 ? "char" : `${isUnsigned ? "unsigned" : "signed"} char`;
  if (base === "__int128") return isUnsigned ? "__int128 unsigned" : "__int128";
  if (sign > 0) return undefined;
  return base === "bool" ? "_Bool" : base;
}

/** Stars before, arrays and parameters behind, parentheses inside: read inside out. */
function declarator(reader: TokenReader): Derivation[] {
  const pointers: Derivation[] = [];
  while (reader.accept("*")) {
    pointers.push({ kind: "pointer" });
    qualifiers(reader);
  }
  let inner: Derivation[] = [];
  const { at } = reader.token;
  if (reader.accept("(")) {
    inner = reader.nested(at, () => declarator(reader));
    reader.expect(")");
  }
  const behind: Derivation[] = [];
  for (;;) {
    if (reader.accept("[")) behind.push(arraySuffix(reader));
    else if (reader.accept("(")) {
      parameters(reader);
      behind.push({ kind: "function" });
    } else break;
  }
  return [...pointers, ...behind.reverse(), ...inner];
}

function arraySuffix(reader: TokenReader): Derivation {
  if (reader.accept("]")) return { kind: "array", count: undefined };
  const { kind, text, at } = reader.take();
  const count = kind === "integer" && /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : -1;
  if (count < 0) throw new ExpressionError("a number of elements expected", at);
  reader.expect("]");
  return { kind: "array", count };
}

/** The types of parameters do not matter: nothing can be called. */
function parameters(reader: TokenReader): void {
  while (!reader.accept(")")) {
    const { kind, at } = reader.take();
    if (kind === "end") throw new ExpressionError('")" expected instead of the end', at);
  }
}
