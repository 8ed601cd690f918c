/** What the literals of C are worth. */
import { ExpressionError, type Token } from "./lexer.ts";
import type { Node } from "./syntax.ts";

const ESCAPES: Readonly<Record<string, number>> = {
  ...{ n: 10, t: 9, r: 13, a: 7, b: 8, e: 27, f: 12, v: 11 },
};

export function integerOf({ text, at }: Token): Node {
  const [, digits = "", suffix = ""] = /^(.*?)([uUlL]*)$/.exec(text) ?? [];
  const plain = digits.replaceAll("_", "");
  const isOctal = /^0[0-9]+$/.test(plain);
  if (isOctal && /[89]/.test(plain)) {
    throw new ExpressionError("a number that begins with 0 is octal and has digits up to 7", at);
  }
  if (/^0[xXbB]$/.test(plain)) throw new ExpressionError("a number without digits", at);
  const value = BigInt(isOctal ? `0o${plain}` : plain);
  if (value >= 1n << 128n) throw new ExpressionError("a number of more than 128 bits", at);
  const isDecimal = /^[1-9]/.test(plain);
  const longs = suffix.replaceAll(/[uU]/g, "").length;
  const isUnsigned = /u/i.test(suffix);
  return { kind: "integer", value, literal: { isDecimal, isUnsigned, longs }, at };
}

export function floatOf({ text, at }: Token): Node {
  const isSingle = /f$/i.test(text);
  const value = Number(text.replace(/[fFlL]$/, ""));
  return { kind: "float", value: isSingle ? Math.fround(value) : value, isSingle, at };
}

/** 'A': a number of type int, as in C. */
export function characterOf({ text, at }: Token): Node {
  const value = BigInt.asIntN(8, BigInt(unescaped(text.slice(1, -1)).charCodeAt(0)));
  const literal = { isDecimal: true, isUnsigned: false, longs: 0 };
  return { kind: "integer", value, literal, at };
}

/** The text of a string's inside, each byte one character. */
export function unescaped(text: string): string {
  return text.replaceAll(
    /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))/g,
    (_, hex?: string, octal?: string, other = "") => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      const code = ESCAPES[other];
      return code === undefined ? other : String.fromCharCode(code);
    },
  );
}
