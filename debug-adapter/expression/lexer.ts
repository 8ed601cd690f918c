/** Splits an expression into tokens, each with its position. */
import { UserError } from "../text.ts";

export type TokenKind =
  | ("integer" | "float" | "character" | "string" | "name" | "qualified")
  | ("register" | "space" | "operator" | "end");

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

/** In the order in which they are tried. */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", /(?:hpa|hva|gpa|gva)(?:@[0-9A-Za-z/]+)?:(?!:)/y],
  ["space", /@(?:hpa|hva|gpa|gva)\b/y],
  ["float", /(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fFlL]?|[0-9]+[eE][-+]?[0-9]+[fFlL]?/y],
  [
    "integer",
    /(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)(?:[uU](?:ll?|LL?)?|(?:ll?|LL?)[uU]?)?/y,
  ],
  ["register", /\$[A-Za-z_][A-Za-z0-9_]*/y],
  ["qualified", /[A-Za-z_](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_])?!(?!=)[A-Za-z_][A-Za-z0-9_]*/y],
  ["name", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["character", /'(?:[^'\\]|\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}|[^x0-7]))'/y],
  ["string", /"(?:[^"\\]|\\.)*"|'[^'\\]*'/y],
  ["operator", /<<=|>>=|->|\+\+|--|&&|\|\||::|<<|>>|[-=!<>+*/%&|^]=|[-+*/%&|^~!<>()[\].,?:=]/y],
];

/** No expression that a person writes is longer. */
const MAX_LENGTH = 10_000;

export function tokenize(text: string): Token[] {
  if (text.length > MAX_LENGTH) {
    throw new ExpressionError(`an expression has at most ${MAX_LENGTH} characters`, MAX_LENGTH);
  }
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (at >= text.length) break;
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
    const isNumber = token.kind === "integer" || token.kind === "float";
    if (isNumber && /[A-Za-z0-9_]/.test(text[at] ?? "")) {
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
