/** Parses expressions: C's operators without calls, plus registers and address spaces. */
import { ExpressionError, type Token, tokenize } from "./lexer.ts";
import { characterOf, floatOf, integerOf, unescaped } from "./literals.ts";
import type { BinaryOperator, Node, UnaryOperator } from "./syntax.ts";
import { startsType, type TokenReader, typeName } from "./type-syntax.ts";

export type { BinaryOperator, Node, UnaryOperator } from "./syntax.ts";

/** How tightly binary operators bind. */
const BINDING: Readonly<Record<string, number>> = {
  ...{ "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6 },
  ...{ "<": 7, "<=": 7, ">": 7, ">=": 7, "<<": 8, ">>": 8, "+": 9, "-": 9 },
  ...{ "*": 10, "/": 10, "%": 10 },
};
const UNARY: readonly string[] = ["-", "+", "~", "!", "*", "&"];
const ASSIGNMENTS: readonly string[] = [
  ...["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="],
];
const MAX_DEPTH = 100;

export interface ParseOptions {
  /** Whether "x = 1", "x += 1" and "x++" are possible. */
  readonly assignment?: boolean;
}

/** Throws an ExpressionError that names the position of what does not parse. */
export function parse(text: string, options: ParseOptions = {}): Node {
  const tokens = tokenize(text);
  const asked = new Set<string>();
  const node = new Parser(tokens, options, (name) => {
    asked.add(name);
    return false;
  });
  const first = attempt(() => node.whole());
  if (asked.size === 0) return first.node ?? raise(first.error);
  // A name in parentheses may be a type: what is no expression otherwise still may be one so.
  const parseAgain = (isType: (name: string) => boolean) =>
    new Parser(tokens, options, isType).whole();
  if (first.node === undefined) attempt(() => parseAgain(() => true)).node ?? raise(first.error);
  return { kind: "ambiguous", names: [...asked], parse: parseAgain, at: 0 };
}

function attempt(read: () => Node): { node?: Node; error?: unknown } {
  try {
    return { node: read() };
  } catch (error) {
    return { error };
  }
}

function raise(error: unknown): never {
  throw error;
}

class Parser implements TokenReader {
  private at = 0;
  private depth = 0;
  private readonly tokens: readonly Token[];
  private readonly options: ParseOptions;
  private readonly isType: (name: string) => boolean;

  constructor(tokens: readonly Token[], options: ParseOptions, isType: (name: string) => boolean) {
    this.tokens = tokens;
    this.options = options;
    this.isType = isType;
  }

  whole(): Node {
    const node = this.assignment();
    const rest = this.token;
    if (rest.kind !== "end") {
      throw new ExpressionError(`"${rest.text}" is not expected`, rest.at);
    }
    return node;
  }

  get token(): Token {
    return this.tokens[this.at] as Token;
  }

  peek(distance: number): Token {
    return this.tokens[Math.min(this.at + distance, this.tokens.length - 1)] as Token;
  }

  take(): Token {
    const token = this.token;
    if (token.kind !== "end") this.at++;
    return token;
  }

  accept(...operators: readonly string[]): Token | undefined {
    const { token } = this;
    return token.kind === "operator" && operators.includes(token.text) ? this.take() : undefined;
  }

  expect(operator: string): void {
    if (this.accept(operator)) return;
    const { token } = this;
    const found = token.kind === "end" ? "the end" : `"${token.text}"`;
    throw new ExpressionError(`"${operator}" expected instead of ${found}`, token.at);
  }

  /** Runs `read` one level deeper, so that no text can make the recursion overflow. */
  nested<T>(at: number, read: () => T): T {
    if (++this.depth > MAX_DEPTH) throw new ExpressionError("nested too deeply", at);
    const result = read();
    this.depth--;
    return result;
  }

  private mayAssign(token: Token): void {
    if (this.options.assignment === true) return;
    const hint = token.text === "=" ? "; write == to compare" : "";
    throw new ExpressionError(
      `"${token.text}" would assign, which only the debug console does${hint},`,
      token.at,
    );
  }

  private assignment(): Node {
    const target = this.conditional();
    const token = this.accept(...ASSIGNMENTS);
    if (token === undefined) return target;
    this.mayAssign(token);
    const value = this.nested(token.at, () => this.assignment());
    const operator = token.text === "=" ? undefined : (token.text.slice(0, -1) as BinaryOperator);
    return { kind: "assignment", operator, target, value, isPostfix: false, at: token.at };
  }

  conditional(): Node {
    const condition = this.binary(1);
    const token = this.accept("?");
    if (token === undefined) return condition;
    return this.nested(token.at, () => {
      const whenTrue = this.conditional();
      this.expect(":");
      const whenFalse = this.conditional();
      return { kind: "conditional", condition, whenTrue, whenFalse, at: token.at };
    });
  }

  private binary(least: number): Node {
    let left = this.unary();
    for (;;) {
      const { token } = this;
      const binding = token.kind === "operator" ? (BINDING[token.text] ?? 0) : 0;
      if (binding < least) return left;
      this.take();
      const right = this.binary(binding + 1);
      const operator = token.text as BinaryOperator;
      left = { kind: "binary", operator, left, right, at: token.at };
    }
  }

  private unary(): Node {
    const { token } = this;
    if (token.kind === "name" && token.text === "sizeof") return this.sizeOf();
    if (this.isCast()) return this.cast();
    const step = this.accept("++", "--");
    if (step) return this.nested(step.at, () => this.step(step, this.unary(), false));
    const sign = this.accept(...UNARY);
    if (!sign) return this.postfix();
    const operand = this.nested(sign.at, () => this.unary());
    return { kind: "unary", operator: sign.text as UnaryOperator, operand, at: sign.at };
  }

  private step(token: Token, target: Node, isPostfix: boolean): Node {
    this.mayAssign(token);
    const { at } = token;
    const operator = token.text === "++" ? "+" : "-";
    const literal = { isDecimal: true, isUnsigned: false, longs: 0 };
    const value: Node = { kind: "integer", value: 1n, literal, at };
    return { kind: "assignment", operator, target, value, isPostfix, at };
  }

  /** Whether the parenthesis that comes next holds a type. */
  private isCast(): boolean {
    if (this.token.kind !== "operator" || this.token.text !== "(") return false;
    const name = this.peek(1);
    if (startsType(name)) return true;
    if (name.kind !== "name") return false;
    const behind = this.peek(2);
    if (behind.kind !== "operator") return false;
    if (behind.text === "*" && this.isStarsOnly()) return true;
    if (behind.text !== ")") return false;
    const next = this.peek(3);
    if (next.kind === "end") return false;
    if (next.kind !== "operator" || ["(", "~", "!"].includes(next.text)) return true;
    return ["-", "+", "*", "&", "++", "--"].includes(next.text) && this.isType(name.text);
  }

  /** "(name **)" and "(name *[" are no expressions. */
  private isStarsOnly(): boolean {
    let distance = 2;
    while (["*", "const", "volatile", "restrict"].includes(this.peek(distance).text)) distance++;
    const end = this.peek(distance);
    return end.kind === "operator" && (end.text === ")" || end.text === "[");
  }

  private cast(): Node {
    const { at } = this.take();
    const type = typeName(this);
    this.expect(")");
    const operand = this.nested(at, () => this.unary());
    return { kind: "cast", type, operand, at };
  }

  private sizeOf(): Node {
    const { at } = this.take();
    const name = this.peek(1);
    if (this.token.text === "(" && name.kind === "name") {
      const behind = this.peek(2);
      const isStars = behind.text === "*" && this.isStarsOnly();
      const isPlain = () => behind.text === ")" && this.isType(name.text);
      if (startsType(name) || isStars || isPlain()) {
        this.take();
        const type = typeName(this);
        this.expect(")");
        return { kind: "sizeofType", type, at };
      }
    }
    return { kind: "sizeof", operand: this.nested(at, () => this.unary()), at };
  }

  private postfix(): Node {
    let object = this.primary();
    for (;;) {
      const token = this.accept(".", "->", "[", "++", "--", "(");
      if (!token) return object;
      const { at, text } = token;
      if (text === "(")
        throw new ExpressionError("a function of the program cannot be called,", at);
      if (text === "++" || text === "--") object = this.step(token, object, true);
      else if (text === "[") {
        const index = this.nested(at, () => this.conditional());
        object = { kind: "index", object, index, at };
        this.expect("]");
      } else {
        const name = this.take();
        if (name.kind !== "name") throw new ExpressionError("a member's name expected", name.at);
        object = { kind: "member", object, name: name.text, arrow: text === "->", at: name.at };
      }
    }
  }

  private primary(): Node {
    const token = this.take();
    const { at, text } = token;
    switch (token.kind) {
      case "integer":
        return integerOf(token);
      case "float":
        return floatOf(token);
      case "character":
        return characterOf(token);
      case "string":
        return this.string(token);
      case "name":
        if (startsType(token)) throw new ExpressionError(`"${text}" is a type, not a value,`, at);
        return { kind: "name", name: text, at };
      case "qualified": {
        const [scope = "", name = ""] = text.split("!");
        return { kind: "qualified", scope, name, at };
      }
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

  private string({ text, at }: Token): Node {
    const value = text.startsWith('"') ? unescaped(text.slice(1, -1)) : text.slice(1, -1);
    if (!this.accept("::")) return { kind: "string", value, at };
    const name = this.take();
    if (name.kind !== "name") throw new ExpressionError("a variable's name expected", name.at);
    return { kind: "qualified", scope: value, name: name.text, at };
  }

  private parenthesised(token: Token): Node {
    if (token.text !== "(") throw new ExpressionError(`"${token.text}" is not expected`, token.at);
    return this.nested(token.at, () => {
      const node = this.conditional();
      this.expect(")");
      return node;
    });
  }

  /** gpa:0x1000 and gpa:(expression). */
  private reference(token: Token): Node {
    const space = token.text.slice(0, -1);
    const address = this.nested(token.at, () => this.primary());
    return { kind: "memory", space, address, size: undefined, at: token.at };
  }

  /** @gpa(address) and @gpa(address, size). */
  private call(token: Token): Node {
    this.expect("(");
    return this.nested(token.at, () => {
      const address = this.conditional();
      const size = this.accept(",") ? this.conditional() : undefined;
      this.expect(")");
      return { kind: "memory", space: token.text.slice(1), address, size, at: token.at };
    });
  }
}
