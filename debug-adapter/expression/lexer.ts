/** Splits an expression into tokens, each with its position. */
import { UserError } from "../text.ts";

export type TokenKind = "number" | "string" | "name" | "register" | "space" | "operator" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset from 0 in the expression. */
  readonly at: number;
}

/** An expression that does not parse; the message names the position. */
export class ExpressionError extends UserError {
  constructor(problem: string, at: number) {
    super(`${problem} at position ${at + 1}`);
    this.at = at;
  }
  readonly at: number;
}

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", /(?:hpa|hva|gpa|gva)(?:@[0-9A-Za-z/]+)?:/y],
  ["space", /@(?:hpa|hva|gpa|gva)\b/y],
  ["number", /0[xX][0-9a-fA-F_]+|[0-9][0-9_]*/y],
  ["register", /\$[A-Za-z_][A-Za-z0-9_]*/y],
  ["name", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["string", /"[^"]*"|'[^']*'/y],
  ["operator", /->|&&|\|\||==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()[\].,]/y],
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (at >= text.length) break;
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
    if (token.kind === "number" && /[A-Za-z_]/.test(text[at] ?? "")) {
      throw new ExpressionError(`"${text[at]}" does not belong to a number`, at);
    }
  }
  tokens.push({ kind: "end", text: "", at: text.length });
  return tokens;
}

function tokenAt(text: string, at: number): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) return { kind, text: found[0], at };
  }
  const quote = text[at] === '"' || text[at] === "'";
  throw new ExpressionError(quote ? "a string without an end" : `"${text[at]}" is unknown`, at);
}
