/** Parses expressions: operators by precedence, quantifiers and let as far to the right as they go. */
import type { BinaryOperator, Expression, UnaryOperator } from "./syntax.ts";
import type { TokenReader } from "./token-reader.ts";

/** From the loosest to the tightest; all but `=>` group to the left. */
export const PRECEDENCE: readonly (readonly (BinaryOperator | "in")[])[] = [
  ["=>"],
  ["<=>"],
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">=", "in"],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
/** `?:` stands between `<=>` and `||`. */
export const CONDITIONAL_LEVEL = 2;
const UNARY: ReadonlySet<string> = new Set<UnaryOperator>(["!", "-", "~", "*", "&"]);
/** Deeper nesting is refused: no text makes the parser run out of stack. */
const MOST_NESTED = 200;

export function parseExpression(reader: TokenReader): Expression {
  return new ExpressionParser(reader).expression();
}

class ExpressionParser {
  private readonly reader: TokenReader;
  private depth = 0;

  constructor(reader: TokenReader) {
    this.reader = reader;
  }

  expression(): Expression {
    return this.nested(() => this.binary(0));
  }

  private nested(parse: () => Expression): Expression {
    if (this.depth >= MOST_NESTED) {
      const { token } = this.reader;
      this.reader.complain(
        token,
        `Expressions nest at most ${MOST_NESTED} deep: define parts of this one`,
      );
      this.reader.skipTo(({ text }) => text === ";");
      return { kind: "missing", start: token.start, end: token.start };
    }
    this.depth++;
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }

  private binary(level: number): Expression {
    if (level === PRECEDENCE.length) return this.unary();
    if (level === CONDITIONAL_LEVEL) return this.conditional(level);
    return this.operators(level, () => this.binary(level + 1));
  }

  private operators(level: number, operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const operator = PRECEDENCE[level]?.find((each) => this.reader.is(each));
      if (operator === undefined) return left;
      this.reader.take();
      const right = operator === "=>" ? this.nested(() => this.binary(level)) : operand();
      const span = { start: left.start, end: right.end };
      left =
        operator === "in"
          ? { kind: "in", element: left, of: right, ...span }
          : { kind: "binary", operator, left, right, ...span };
    }
  }

  private conditional(level: number): Expression {
    const condition = this.operators(level, () => this.binary(level + 1));
    if (!this.reader.accept("?")) return condition;
    const then = this.expression();
    this.reader.expect(":", "between the two values of ?:");
    const otherwise = this.nested(() => this.binary(level));
    const { start } = condition;
    return { kind: "conditional", condition, then, otherwise, start, end: otherwise.end };
  }

  private unary(): Expression {
    const { token } = this.reader;
    if (token.kind !== "symbol" || !UNARY.has(token.text)) return this.postfix(this.primary());
    this.reader.take();
    const operand = this.nested(() => this.unary());
    const operator = token.text as UnaryOperator;
    return { kind: "unary", operator, operand, start: token.start, end: operand.end };
  }

  private postfix(first: Expression): Expression {
    const { reader } = this;
    let object = first;
    for (;;) {
      const { start } = object;
      if (reader.is(".") || reader.is("->")) {
        const arrow = reader.take().text === "->";
        const name = reader.name("a member's name");
        object = { kind: "member", object, name, arrow, start, end: reader.lastEnd };
      } else if (reader.accept("[")) {
        const index = this.expression();
        reader.expect("]", "after the index");
        object = { kind: "index", object, index, start, end: reader.lastEnd };
      } else return object;
    }
  }

  private primary(): Expression {
    const { reader } = this;
    const { token } = reader;
    const span = { start: token.start, end: token.end };
    if (token.kind === "number") {
      reader.take();
      return { kind: "number", value: token.value, ...span };
    }
    if (token.kind === "name") return this.nested(() => this.named());
    if (reader.accept("$")) {
      const name = reader.name("a symbol of the program");
      return { kind: "name", name, isSymbol: true, start: token.start, end: reader.lastEnd };
    }
    if (reader.accept("(")) {
      const inner = this.expression();
      reader.expect(")", "after the expression");
      return { ...inner, start: token.start, end: reader.lastEnd };
    }
    if (reader.accept("{")) return this.set(token.start);
    reader.missing("an expression", "");
    return { kind: "missing", start: token.start, end: token.start };
  }

  private named(): Expression {
    const { reader } = this;
    const { token } = reader;
    const { start, text } = token;
    if (ITEM_WORDS.has(text)) {
      reader.missing("an expression", "");
      return { kind: "missing", start, end: start };
    }
    reader.take();
    if (text === "true" || text === "false") {
      return { kind: "boolean", value: text === "true", start, end: token.end };
    }
    if (text === "forall" || text === "exists" || text === "count")
      return this.quantifier(text, start);
    if (text === "let") return this.binding(start);
    if (text === "old" && reader.accept("(")) {
      const body = this.expression();
      reader.expect(")", "after the expression");
      return { kind: "old", body, start, end: reader.lastEnd };
    }
    const name = { text, start, end: token.end };
    if (!reader.accept("(")) return { kind: "name", name, isSymbol: false, start, end: token.end };
    const given = this.list(")", "after the arguments");
    return { kind: "call", name, arguments: given, start, end: reader.lastEnd };
  }

  /** `count` may stand without a body: it counts what passes the filter. */
  private quantifier(quantifier: "forall" | "exists" | "count", start: number): Expression {
    const { reader } = this;
    const isBracketed = quantifier === "count" && reader.accept("(");
    const variable = reader.name("a variable");
    reader.expect("in", "after the variable");
    const collection = this.nested(() => this.binary(CONDITIONAL_LEVEL + 1));
    const filter = reader.accept("if")
      ? this.nested(() => this.binary(CONDITIONAL_LEVEL))
      : undefined;
    let body: Expression = {
      kind: "boolean",
      value: true,
      start: reader.lastEnd,
      end: reader.lastEnd,
    };
    if (quantifier !== "count") reader.expect(":", "before what is said of each");
    if (quantifier !== "count" || reader.accept(":")) body = this.expression();
    if (isBracketed) reader.expect(")", "after what is counted");
    return {
      ...({ kind: "quantifier", quantifier, variable, collection, filter, body } as const),
      ...{ start, end: reader.lastEnd },
    };
  }

  private binding(start: number): Expression {
    const { reader } = this;
    const variable = reader.name("a variable");
    reader.expect("=", "before the variable's value");
    const value = this.nested(() => this.binary(CONDITIONAL_LEVEL));
    reader.expect(":", "before the expression with the variable");
    const body = this.expression();
    return { kind: "let", variable, value, body, start, end: reader.lastEnd };
  }

  private set(start: number): Expression {
    const elements = this.list("}", "after the values");
    return { kind: "set", elements, start, end: this.reader.lastEnd };
  }

  private list(close: string, where: string): Expression[] {
    const found: Expression[] = [];
    if (this.reader.accept(close)) return found;
    do found.push(this.expression());
    while (this.reader.accept(","));
    this.reader.expect(close, where);
    return found;
  }
}

/** Words that begin an item: none of them is a name. */
export const ITEM_WORDS: ReadonlySet<string> = new Set(["invariant", "define", "memory"]);
