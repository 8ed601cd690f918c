/** Parses expressions: operators by precedence, quantifiers and let as far to the right as they go. */
import { CAST_MESSAGE, OTHER_OPERATORS, operatorMessage } from "./habits.ts";
import type { Token } from "./lexer.ts";
import type { BinaryOperator, Expression, Name, UnaryOperator } from "./syntax.ts";
import type { TokenReader } from "./token-reader.ts";

/** From the loosest to the tightest; all but `=>` and `?:` group to the left. */
const PRECEDENCE: readonly (readonly (BinaryOperator | "in" | "?")[])[] = [
  ["=>"],
  ["<=>"],
  ["?"],
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
const LEVELS: ReadonlyMap<string, number> = new Map(
  PRECEDENCE.flatMap((row, level) => row.map((operator) => [operator, level] as const)),
);
/** Of `?:`; what stands before "if" or ":" is tighter. */
const CONDITIONAL_LEVEL = 2;
const UNARY: ReadonlySet<string> = new Set<UnaryOperator>(["!", "-", "~", "*", "&"]);
/** More is refused: no text makes a walk over the tree run out of stack. */
const MOST_NESTED = 100;
const MOST_LINKED = 500;

export function parseExpression(reader: TokenReader): Expression {
  return new ExpressionParser(reader).expression();
}

class ExpressionParser {
  private readonly reader: TokenReader;
  private depth = 0;
  /** Operators, members and indices: each makes the tree deeper on the left. */
  private links = 0;

  constructor(reader: TokenReader) {
    this.reader = reader;
  }

  expression(): Expression {
    return this.nested(() => this.binary(0));
  }

  private nested(parse: () => Expression): Expression {
    if (this.depth >= MOST_NESTED) {
      return this.refuse(`Expressions nest at most ${MOST_NESTED} deep: define parts of this one`);
    }
    this.depth++;
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }

  private refuse(message: string): Expression {
    const { token } = this.reader;
    this.reader.complain(token, message);
    this.reader.skipTo(({ text }) => text === ";");
    return { kind: "missing", start: token.start, end: token.start };
  }

  /** Says false, and skips the rest, where the expression has too many parts in a row. */
  private mayLink(): boolean {
    if (++this.links <= MOST_LINKED) return true;
    this.refuse(
      `An expression has at most ${MOST_LINKED} operators and members: define parts of this one`,
    );
    return false;
  }

  /** Operators of a level and all tighter ones. */
  private binary(least: number): Expression {
    let left = this.unary();
    for (;;) {
      const { token } = this.reader;
      const other = token.kind === "string" ? undefined : OTHER_OPERATORS.get(token.text);
      const { kind, text } = { ...token, ...(other === undefined ? {} : { text: other }) };
      const level = kind === "string" ? undefined : LEVELS.get(text);
      if (level === undefined || level < least || !this.mayLink()) return left;
      if (other !== undefined) {
        this.reader.complain(token, operatorMessage(token.text, other), other);
      }
      this.reader.take();
      left = text === "?" ? this.conditional(left) : this.operator(text, level, left);
    }
  }

  private operator(text: string, level: number, left: Expression): Expression {
    const right = this.nested(() => this.binary(text === "=>" ? level : level + 1));
    const span = { start: left.start, end: right.end };
    if (text === "in") return { kind: "in", element: left, of: right, ...span };
    return { kind: "binary", operator: text as BinaryOperator, left, right, ...span };
  }

  private conditional(condition: Expression): Expression {
    const then = this.expression();
    this.reader.expect(":", "between the two values of ?:");
    const otherwise = this.nested(() => this.binary(CONDITIONAL_LEVEL));
    const { start } = condition;
    return { kind: "conditional", condition, then, otherwise, start, end: otherwise.end };
  }

  private unary(): Expression {
    const { token } = this.reader;
    const isNot = token.text === "not" && this.isOperand(this.reader.following);
    if (isNot) this.reader.complain(token, operatorMessage("not", "!"), "!");
    const isOperator = token.kind === "symbol" && UNARY.has(token.text);
    if (!isNot && !isOperator) return this.postfix(this.primary());
    this.reader.take();
    const operand = this.nested(() => this.unary());
    const operator = isNot ? "!" : (token.text as UnaryOperator);
    return { kind: "unary", operator, operand, start: token.start, end: operand.end };
  }

  private postfix(first: Expression): Expression {
    const { reader } = this;
    let object = first;
    for (;;) {
      const { start } = object;
      const isMember = reader.is(".") || reader.is("->");
      if (!isMember && !reader.is("[")) return object;
      if (!this.mayLink()) return object;
      if (isMember) {
        const arrow = reader.take().text === "->";
        const name = this.memberName();
        object = { kind: "member", object, name, arrow, start, end: reader.lastEnd };
      } else {
        reader.take();
        const index = this.expression();
        reader.expect("]", "after the index");
        object = { kind: "index", object, index, start, end: reader.lastEnd };
      }
    }
  }

  /** Missing where the next item begins; a member may be called as the word of one. */
  private memberName(): Name {
    const { reader } = this;
    const { token, following } = reader;
    const isItem = ITEM_WORDS.has(token.text) && following.kind === "name";
    if (!isItem || INFIX_WORDS.has(following.text)) return reader.name("a member's name");
    reader.missing("a member's name", "");
    return { text: "", start: reader.lastEnd, end: reader.lastEnd };
  }

  private primary(): Expression {
    const { reader } = this;
    const { token } = reader;
    const span = { start: token.start, end: token.end };
    if (token.kind === "number") {
      reader.take();
      return { kind: "number", value: token.value, written: token.text, ...span };
    }
    if (token.kind === "name") return this.nested(() => this.named());
    if (reader.accept("$")) {
      const name = reader.name("a symbol of the program");
      return { kind: "name", name, isSymbol: true, start: token.start, end: reader.lastEnd };
    }
    if (token.text === "(" && this.castLength() > 0) return this.cast();
    if (reader.accept("(")) {
      const inner = this.expression();
      reader.expect(")", "after the expression");
      return { ...inner, start: token.start, end: reader.lastEnd };
    }
    if (reader.accept("{")) return this.set(token.start);
    reader.missing("an expression", "");
    return { kind: "missing", start: token.start, end: token.start };
  }

  /** Whether a name, a number or a symbol of the program begins there. */
  private isOperand({ kind, text }: Token): boolean {
    if (kind === "number") return true;
    if (kind === "symbol") return text === "$";
    return kind === "name" && !INFIX_WORDS.has(text) && !ITEM_WORDS.has(text);
  }

  /** Tokens of a cast of C, as (struct page *) before an operand; 0 where there is none. */
  private castLength(): number {
    const { reader } = this;
    let at = 1;
    while (reader.ahead(at).kind === "name") at++;
    if (at === 1) return 0;
    while (reader.ahead(at).text === "*") at++;
    return reader.ahead(at).text === ")" && this.isOperand(reader.ahead(at + 1)) ? at + 1 : 0;
  }

  /** A type of C by its tag, as "struct page". */
  private tagged({ text, start }: Token): Expression {
    const { text: tag, end } = this.reader.take();
    const name = { text: `${text} ${tag}`, start, end };
    return { kind: "name", name, isSymbol: false, start, end };
  }

  private cast(): Expression {
    const { reader } = this;
    const { start } = reader.token;
    for (let left = this.castLength(); left > 0; left--) reader.take();
    reader.complain({ start, end: reader.lastEnd }, CAST_MESSAGE);
    return this.nested(() => this.unary());
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
    if (TAG_WORDS.has(text) && reader.token.kind === "name") return this.tagged(token);
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
    if (isBracketed && reader.following.text !== "in") return this.counted(start);
    const variable = reader.name("a variable");
    reader.expect("in", "after the variable");
    const collection = this.nested(() => this.binary(CONDITIONAL_LEVEL + 1));
    const list = reader.is("..") ? this.integersFrom(collection) : collection;
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
      ...({ kind: "quantifier", quantifier, variable, collection: list, filter, body } as const),
      ...{ start, end: reader.lastEnd },
    };
  }

  /** `count(LIST)`, whose bracket is open: read as the length that is meant. */
  private counted(start: number): Expression {
    const { reader } = this;
    const name = { text: "length", start, end: start };
    const said = "count names each element, as count(x in LIST if f): write length(LIST) for all";
    reader.complain({ start, end: start + "count".length }, said, "length");
    const given = this.list(")", "after what is counted");
    return { kind: "call", name, arguments: given, start, end: reader.lastEnd };
  }

  /** `first..end`, which stands in memory declarations alone: read as the list that is meant. */
  private integersFrom(first: Expression): Expression {
    const { reader } = this;
    const { start } = first;
    reader.complain(reader.take(), "A list of integers is written integers(FIRST, END)");
    const end = this.nested(() => this.binary(CONDITIONAL_LEVEL + 1));
    const name = { text: "integers", start, end: start };
    return { kind: "call", name, arguments: [first, end], start, end: end.end };
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

/** Words before a tag of C. */
const TAG_WORDS: ReadonlySet<string> = new Set(["struct", "union", "enum"]);

/** Words that may stand behind an operand. */
const INFIX_WORDS: ReadonlySet<string> = new Set(["in", "if"]);

/** Words that begin an item: none of them is a name. */
export const ITEM_WORDS: ReadonlySet<string> = new Set(["invariant", "define", "memory"]);
