/** Turns the text of an .inv file into tokens, comments apart. */

import type { Span } from "./syntax.ts";
import type { Diagnostic } from "./term.ts";

export type TokenKind = "name" | "number" | "string" | "symbol" | "end";

export interface Token extends Span {
  readonly kind: TokenKind;
  /** As written; of a string its content. */
  readonly text: string;
  /** Of a number. */
  readonly value: bigint;
}

export interface Lexed {
  /** The last one is the end. */
  readonly tokens: readonly Token[];
  readonly comments: readonly Span[];
  readonly diagnostics: readonly Diagnostic[];
}

const SYMBOLS = [
  ...["<=>", "=>", "==", "!=", "<=", ">=", "<<", ">>", "&&", "||", "->", ".."],
  ...["(", ")", "[", "]", "{", "}", ",", ";", ":", "?", ".", "=", "$"],
  ...["<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!"],
];
const SPACE = /\s+/y;
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const NAME = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX][\da-fA-F_]+|0[bB][01_]+|\d[\d_]*/y;
const STRING = /"(?:[^"\\\n]|\\.)*"?/y;
const SUFFIX = /\w*/y;
const SUFFIXES: Readonly<Record<string, bigint>> = { K: 10n, M: 20n, G: 30n, T: 40n };

/** Never throws: what is no token is a diagnostic and left out. */
export function lex(text: string): Lexed {
  const lexer = new Lexer(text);
  while (!lexer.isAtEnd) lexer.next();
  return lexer.finish();
}

class Lexer implements Lexed {
  readonly tokens: Token[] = [];
  readonly comments: Span[] = [];
  readonly diagnostics: Diagnostic[] = [];
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  finish(): Lexed {
    this.add("end", 0, "");
    return this;
  }

  /** One token, comment or piece of space. */
  next(): void {
    const space = this.match(SPACE);
    const comment = space === "" ? this.match(COMMENT) : "";
    if (space !== "") this.at += space.length;
    else if (comment !== "") this.addComment(comment);
    else this.addToken();
  }

  private match(pattern: RegExp, at = this.at): string {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0] ?? "";
  }

  private add(kind: TokenKind, length: number, content: string, value = 0n): void {
    const { at: start } = this;
    this.tokens.push({ kind, start, end: start + length, text: content, value });
    this.at += length;
  }

  private complain(length: number, message: string): void {
    const { at: start } = this;
    this.diagnostics.push({ severity: "error", start, end: start + length, message });
  }

  private addComment(comment: string): void {
    const isOpen = comment.startsWith("/*") && (comment.length < 4 || !comment.endsWith("*/"));
    if (isOpen) this.complain(comment.length, "This comment has no end: close it with */");
    this.comments.push({ start: this.at, end: this.at + comment.length });
    this.at += comment.length;
  }

  private addToken(): void {
    const name = this.match(NAME);
    const number = name === "" ? this.match(NUMBER) : "";
    const string = this.match(STRING);
    const symbol = SYMBOLS.find((each) => this.text.startsWith(each, this.at));
    if (name !== "") this.add("name", name.length, name);
    else if (number !== "") this.addNumber(number);
    else if (string !== "") this.addString(string);
    else if (symbol !== undefined) this.add("symbol", symbol.length, symbol);
    else this.skipCharacter();
  }

  private skipCharacter(): void {
    const character = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0);
    this.complain(
      character.length,
      `The character ${JSON.stringify(character)} means nothing here`,
    );
    this.at += character.length;
  }

  private addNumber(written: string): void {
    const digits = written.replaceAll("_", "");
    const tail = this.match(SUFFIX, this.at + written.length);
    const shift = SUFFIXES[tail];
    const isWhole = /^(?:\d+|0[xX][\da-fA-F]+|0[bB][01]+)$/.test(digits);
    const isRight = isWhole && (tail === "" || shift !== undefined);
    const whole = written + tail;
    if (!isRight) {
      this.complain(
        whole.length,
        `${whole} is no number: write decimal, 0x or 0b, with K, M, G or T behind it`,
      );
    }
    this.add("number", whole.length, whole, isRight ? BigInt(digits) << (shift ?? 0n) : 0n);
  }

  private addString(written: string): void {
    const isClosed = /^"(?:[^"\\\n]|\\.)*"$/.test(written);
    if (!isClosed) this.complain(written.length, "This text has no end: close it with a quote");
    const content = written.slice(1, isClosed ? -1 : undefined);
    this.add("string", written.length, content.replace(/\\(.)/g, "$1"));
  }
}
