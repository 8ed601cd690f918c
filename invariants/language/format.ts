/** Formats .inv files: spaces, indentation and the head's lines; line breaks in bodies and all comments stay. */
import { ITEM_WORDS } from "./expression-parser.ts";
import { lex, type Token } from "./lexer.ts";
import { parse } from "./parser.ts";
import type { Span } from "./syntax.ts";

const INDENT = "  ";
const OPENING: ReadonlySet<string> = new Set(["(", "[", "{"]);
const CLOSING: ReadonlySet<string> = new Set([")", "]", "}"]);
const TIGHT_BEFORE: ReadonlySet<string> = new Set([...CLOSING, ",", ";", ".", "->", "..", "["]);
const TIGHT_AFTER: ReadonlySet<string> = new Set([...OPENING, "$", ".", "->", ".."]);
const UNARY: ReadonlySet<string> = new Set(["!", "-", "~", "*", "&"]);
/** Words behind which an operand or a bracketed expression begins. */
const WORDS: ReadonlySet<string> = new Set(["in", "if"]);

const HEAD_ENDS: Readonly<Record<string, string>> = { invariant: ":", define: "=", memory: "=" };

/** A text with an error in it comes back as it is. The tokens and their order never change. */
export function format(text: string): string {
  if (parse(text).diagnostics.length > 0) return text;
  return new Formatter(text).format();
}

/** A token or a comment, and how it is set. */
interface Piece extends Span {
  readonly token: Token | undefined;
}

/** What is open within one pair of brackets. */
interface Frame {
  /** Quantifiers, let and `?` whose colon is to come. */
  readonly openers: string[];
  /** Of the colon that was last. */
  closed: string;
  /** Lines behind a quantifier's colon, or behind the first `=>`, stand deeper. */
  deeper: number;
  hasImplication: boolean;
}

const OPENERS: ReadonlySet<string> = new Set(["forall", "exists", "count", "let", "?"]);
const newFrame = (): Frame => ({ openers: [], closed: "", deeper: 0, hasImplication: false });

class Formatter {
  private readonly text: string;
  private out = "";
  private last: Piece | undefined;
  private lastToken: Token | undefined;
  private isLastUnary = false;
  /** The first word of the item; empty between items. */
  private item = "";
  /** In an invariant up to its colon, in a definition up to its equals sign. */
  private isInHead = false;
  /** The sign that ended it. */
  private headEnd: Token | undefined;
  /** One for the item, one for each open bracket. */
  private frames: Frame[] = [newFrame()];

  constructor(text: string) {
    this.text = text;
  }

  private get brackets(): number {
    return this.frames.length - 1;
  }

  format(): string {
    const { tokens, comments } = lex(this.text);
    const pieces: Piece[] = [
      ...tokens.slice(0, -1).map((token) => ({ start: token.start, end: token.end, token })),
      ...comments.map(({ start, end }) => ({ start, end, token: undefined })),
    ];
    pieces.sort((a, b) => a.start - b.start);
    for (const piece of pieces) this.put(piece);
    return this.out === "" ? "" : `${this.out}\n`;
  }

  private put(piece: Piece): void {
    const { token } = piece;
    const isItem = this.item === "" && token !== undefined && ITEM_WORDS.has(token.text);
    if (token !== undefined && CLOSING.has(token.text) && token.kind === "symbol") {
      this.frames.pop();
    }
    this.out += this.gap(piece, isItem);
    this.out += this.text.slice(piece.start, piece.end).trimEnd();
    if (token !== undefined) this.advance(token, isItem);
    this.last = piece;
  }

  private advance(token: Token, isItem: boolean): void {
    const { kind, text } = token;
    this.isLastUnary = kind === "symbol" && UNARY.has(text) && !endsOperand(this.lastToken);
    this.lastToken = token;
    if (isItem) {
      this.item = text;
      this.isInHead = true;
      this.frames = [newFrame()];
    }
    const frame = this.frames.at(-1);
    if (OPENERS.has(text) && kind !== "string") frame?.openers.push(text);
    if (kind !== "symbol") return;
    if (text === ":" && frame !== undefined) frame.closed = frame.openers.pop() ?? "";
    if (OPENING.has(text)) {
      this.frames.push(newFrame());
    }
    if (this.isInHead && this.brackets === 0 && text === HEAD_ENDS[this.item]) {
      this.isInHead = false;
      this.headEnd = token;
    }
    if (text === ";") this.item = "";
  }

  /** What stands before a piece. */
  private gap(piece: Piece, isItem: boolean): string {
    const { last } = this;
    if (last === undefined) return "";
    const between = this.text.slice(last.end, piece.start);
    const lines = between.split("\n").length - 1;
    if (this.item === "" || isItem) {
      const isTrailing = piece.token === undefined && lines === 0;
      if (isTrailing) return " ";
      return lines > 1 ? "\n\n" : "\n";
    }
    const isAfterLine = this.text.startsWith("//", last.start) && last.token === undefined;
    if (isAfterLine || this.beginsLine(piece, lines > 0)) {
      return `\n${INDENT.repeat(this.depth())}`;
    }
    return this.isTight(piece) ? "" : " ";
  }

  /** Of a line that begins here. */
  private depth(): number {
    const frame = this.frames.at(-1);
    const behind = this.last?.token?.text;
    if (frame !== undefined && behind === ":" && /^(forall|exists|count)$/.test(frame.closed)) {
      frame.deeper++;
    } else if (frame !== undefined && behind === "=>" && !frame.hasImplication) {
      frame.hasImplication = true;
      frame.deeper++;
    }
    return 1 + this.brackets + this.frames.reduce((sum, { deeper }) => sum + deeper, 0);
  }

  /** The head's texts and the invariant's body have lines of their own. */
  private beginsLine({ token }: Piece, isBroken: boolean): boolean {
    const { item, isInHead, last, lastToken } = this;
    if (item === "invariant" && token !== undefined) {
      if (isInHead && token.kind === "string" && lastToken?.text !== "source") return true;
      if (isInHead && token.text === "source" && lastToken?.kind === "string") return true;
      if (!isInHead && last?.token === this.headEnd) return true;
    }
    if (!isBroken) return false;
    if (token === undefined) return true;
    if (isInHead && token.text === ":") return false;
    return token.kind !== "symbol" || (token.text !== ";" && token.text !== ",");
  }

  private isTight({ token }: Piece): boolean {
    const before = this.last?.token;
    if (token === undefined || before === undefined) return false;
    if (before.kind === "symbol" && TIGHT_AFTER.has(before.text)) return true;
    if (this.isLastUnary) return !(before.text === "&" && token.text.startsWith("&"));
    if (token.kind !== "symbol") return false;
    if (token.text === ":") return this.isInHead;
    if (token.text === "(") return before.kind === "name" && !WORDS.has(before.text);
    return TIGHT_BEFORE.has(token.text);
  }
}

function endsOperand(token: Token | undefined): boolean {
  if (token === undefined) return false;
  if (token.kind === "symbol") return CLOSING.has(token.text);
  return !(token.kind === "name" && WORDS.has(token.text));
}
