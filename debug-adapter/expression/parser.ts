/** Parses expressions: C's operators without assignment, plus registers and address spaces. */
import { ExpressionError, type Token, tokenize } from "./lexer.ts";

export type BinaryOperator =
  | ("||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "<" | "<=" | ">" | ">=")
  | ("<<" | ">>" | "+" | "-" | "*" | "/" | "%");
export type UnaryOperator = "-" | "+" | "~" | "!" | "*" | "&";

export type Node = { readonly at: number } & (
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "register"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Node }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly kind: "member"; readonly object: Node; readonly name: string }
  | { readonly kind: "index"; readonly object: Node; readonly index: Node }
  /** Memory in an address space named as in a memory reference ("gva@g1"). */
  | {
      readonly kind: "memory";
      readonly space: string;
      readonly address: Node;
      readonly size: Node | undefined;
    }
);

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const UNARY: readonly string[] = ["-", "+", "~", "!", "*", "&"];
const MAX_DEPTH = 100;

/** Throws an ExpressionError that names the position of what does not parse. */
export function parse(text: string): Node {
  return new Parser(tokenize(text)).whole();
}

class Parser {
  private at = 0;
  private depth = 0;
  private readonly tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): Node {
    const node = this.binary(0);
    const rest = this.token;
    if (rest.kind !== "end") {
      throw new ExpressionError(`"${rest.text}" is not expected`, rest.at);
    }
    return node;
  }

  private get token(): Token {
    return this.tokens[this.at] as Token;
  }

  private take(): Token {
    const token = this.token;
    if (token.kind !== "end") this.at++;
    return token;
  }

  private accept(...operators: readonly string[]): Token | undefined {
    const { token } = this;
    return token.kind === "operator" && operators.includes(token.text) ? this.take() : undefined;
  }

  private expect(operator: string): void {
    if (this.accept(operator)) return;
    const { token } = this;
    const found = token.kind === "end" ? "the end" : `"${token.text}"`;
    throw new ExpressionError(`"${operator}" expected instead of ${found}`, token.at);
  }

  private binary(level: number): Node {
    const operators = LEVELS[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.accept(...operators);
      if (!token) return left;
      const right = this.binary(level + 1);
      const operator = token.text as BinaryOperator;
      left = { kind: "binary", operator, left, right, at: token.at };
    }
  }

  private unary(): Node {
    const token = this.accept(...UNARY);
    if (!token) return this.postfix();
    if (++this.depth > MAX_DEPTH) throw new ExpressionError("nested too deeply", token.at);
    const operand = this.unary();
    this.depth--;
    return { kind: "unary", operator: token.text as UnaryOperator, operand, at: token.at };
  }

  private postfix(): Node {
    let object = this.primary();
    for (;;) {
      const token = this.accept(".", "->", "[");
      if (!token) return object;
      if (token.text === "[") {
        object = { kind: "index", object, index: this.binary(0), at: token.at };
        this.expect("]");
        continue;
      }
      const name = this.take();
      if (name.kind !== "name") throw new ExpressionError("a member's name expected", name.at);
      object = { kind: "member", object, name: name.text, at: name.at };
    }
  }

  private primary(): Node {
    const token = this.take();
    const { at, text } = token;
    switch (token.kind) {
      case "number":
        return { kind: "number", value: BigInt(text.replaceAll("_", "")), at };
      case "string":
        return { kind: "string", value: text.slice(1, -1), at };
      case "name":
        return { kind: "name", name: text, at };
      case "register":
        return { kind: "register", name: text.slice(1), at };
      case "space":
        return text.startsWith("@") ? this.call(token) : this.reference(token);
      case "end":
        throw new ExpressionError("the expression ends too early", at);
      case "operator":
        return this.parenthesised(token);
    }
  }

  private parenthesised(token: Token): Node {
    if (token.text !== "(") throw new ExpressionError(`"${token.text}" is not expected`, token.at);
    if (++this.depth > MAX_DEPTH) throw new ExpressionError("nested too deeply", token.at);
    const node = this.binary(0);
    this.expect(")");
    this.depth--;
    return node;
  }

  /** gpa:0x1000 and gpa:(expression). */
  private reference(token: Token): Node {
    const space = token.text.slice(0, -1);
    return { kind: "memory", space, address: this.primary(), size: undefined, at: token.at };
  }

  /** @gpa(address) and @gpa(address, size). */
  private call(token: Token): Node {
    this.expect("(");
    const address = this.binary(0);
    const size = this.accept(",") ? this.binary(0) : undefined;
    this.expect(")");
    return { kind: "memory", space: token.text.slice(1), address, size, at: token.at };
  }
}
