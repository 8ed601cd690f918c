/** Walks over tokens for the parser, and collects what it complains about. */
import type { Token, TokenKind } from "./lexer.ts";
import type { Name, Span, Text } from "./syntax.ts";
import type { Diagnostic } from "./term.ts";

export class TokenReader {
  readonly diagnostics: Diagnostic[] = [];
  private readonly tokens: readonly Token[];
  private readonly places = new Set<number>();
  private at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get token(): Token {
    return this.tokens[this.at] as Token;
  }

  get position(): number {
    return this.at;
  }

  /** Where the last token taken ends. */
  get lastEnd(): number {
    return this.tokens[this.at - 1]?.end ?? 0;
  }

  /** The last token taken; the first one where none was. */
  get last(): Token {
    return this.tokens[Math.max(this.at - 1, 0)] as Token;
  }

  /** The token after the present one. */
  get following(): Token {
    return this.ahead(1);
  }

  /** So many tokens after the present one; at the most the end. */
  ahead(count: number): Token {
    return this.tokens[Math.min(this.at + count, this.tokens.length - 1)] as Token;
  }

  take(): Token {
    const { token } = this;
    if (token.kind !== "end") this.at++;
    return token;
  }

  is(text: string): boolean {
    const { kind, text: own } = this.token;
    return own === text && (kind === "symbol" || kind === "name");
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  /** Complains where `text` does not stand next. */
  expect(text: string, where: string): boolean {
    if (this.accept(text)) return true;
    this.missing(`"${text}"`, where);
    return false;
  }

  name(what: string): Name {
    const { token } = this;
    if (token.kind === "name") {
      this.at++;
      return { text: token.text, start: token.start, end: token.end };
    }
    this.missing(what, "");
    return { text: "", start: token.start, end: token.start };
  }

  string(): Text | undefined {
    if (this.token.kind !== "string") return undefined;
    const { text, start, end } = this.take();
    return { text, start, end };
  }

  missing(what: string, where: string): void {
    const found = describe(this.token);
    this.complain(
      this.token,
      `${found} stands where ${what} belongs${where === "" ? "" : ` ${where}`}`,
    );
  }

  /** Whether there is a complaint at that place. */
  isToldOf({ start }: Span): boolean {
    return this.places.has(start);
  }

  /** One complaint a place: what follows from the first says nothing new. */
  complain(span: Span, message: string, suggestion?: string): void {
    const { start, end } = span;
    if (this.places.has(start)) return;
    this.places.add(start);
    const error = { severity: "error", start, end, message } as const;
    this.diagnostics.push(suggestion === undefined ? error : { ...error, suggestion });
  }

  /** Skips to a token at which `stops` says true, or to the end. */
  skipTo(stops: (token: Token) => boolean): void {
    while (this.token.kind !== "end" && !stops(this.token)) this.at++;
  }
}

const KINDS: { readonly [K in TokenKind]: string } = {
  name: "The name",
  number: "The number",
  string: "The text",
  symbol: "The sign",
  end: "The end of the file",
};

function describe({ kind, text }: Token): string {
  return kind === "end" ? KINDS.end : `${KINDS[kind]} "${text}"`;
}
