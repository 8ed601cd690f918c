/** Values written out in full, for the clipboard. */
import { stripped, type Type } from "../../symbols/types.ts";
import type { Home } from "./home.ts";
import type { ShowOptions, Term } from "./term.ts";

/** Characters; what is longer ends in "...". */
const MAX_WHOLE = 1 << 18;
const MAX_DEPTH = 32;

/** A C string in memory, read in short steps so that it may end just before a hole. */
export function stringAt(
  home: Home,
  address: bigint,
  limit: number,
): { text: string; isComplete: boolean } | undefined {
  const parts: string[] = [];
  let length = 0;
  for (let at = BigInt.asUintN(64, address); length < limit; ) {
    const step = 64 - Number(at & 63n);
    const bytes = home.state.readMemory(at, step) ?? shortRead(home, at, step);
    if (bytes.length === 0) return length === 0 ? undefined : done(parts, false);
    const nul = bytes.indexOf(0);
    parts.push(String.fromCharCode(...(nul < 0 ? bytes : bytes.subarray(0, nul))));
    if (nul >= 0) return done(parts, true);
    if (bytes.length < step) return done(parts, false);
    length += bytes.length;
    at = BigInt.asUintN(64, at + BigInt(step));
  }
  return done(parts, false);
}

const done = (parts: readonly string[], isComplete: boolean) => {
  return { text: parts.join(""), isComplete };
};

/** What can be read byte by byte before a hole. */
function shortRead(home: Home, address: bigint, length: number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < length; i++) {
    const [byte] = home.state.readMemory(BigInt.asUintN(64, address + BigInt(i)), 1) ?? [];
    if (byte === undefined) break;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/**
 * "{x = 0x3, list = {0x1, 0x2}}", up to about `limit` characters. Strings are not cut where there
 * is room, pointers are followed to text only.
 */
export function wholeText(term: Term, options: ShowOptions, limit = MAX_WHOLE): string {
  return written(term, { ...options, whole: false }, { characters: limit }, 0);
}

interface Left {
  characters: number;
}

function written(term: Term, options: ShowOptions, left: Left, depth: number): string {
  const type = term.ctype && stripped(term.ctype);
  if (type?.kind === "struct" || type?.kind === "union" || type?.kind === "array") {
    const isKnown = term.unavailable === undefined && (term.childCount ?? 0) > 0;
    const string = type.kind === "array" && isCharacter(type.element);
    if (isKnown && !string) return members(term, type.kind === "array", options, left, depth);
    if (type.kind === "array" && !string) return `[${type.count ?? ""}]`;
  }
  const brief = term.show?.(options) ?? term.shown ?? "";
  left.characters -= brief.length;
  return type?.kind === "pointer" ? pointerText(term, brief, left) : brief;
}

function isCharacter(type: Type): boolean {
  const plain = stripped(type);
  return plain.kind === "base" && plain.base === "char" && plain.size === 1;
}

function members(
  term: Term,
  isArray: boolean,
  options: ShowOptions,
  left: Left,
  depth: number,
): string {
  const parts: string[] = [];
  for (let i = 0; i < (term.childCount ?? 0); i++) {
    const child = left.characters > 0 && depth < MAX_DEPTH ? term.children?.(i, 1)[0] : undefined;
    if (child === undefined) {
      parts.push("...");
      break;
    }
    const label = isArray || child.name === "" ? "" : `${child.name} = `;
    left.characters -= label.length + 2;
    parts.push(label + written(child.term, options, left, depth + 1));
  }
  return `{${parts.join(", ")}}`;
}

function pointerText(term: Term, brief: string, left: Left): string {
  if (
    left.characters <= 0 ||
    !brief.endsWith('"...') ||
    term.home === undefined ||
    term.number === undefined
  )
    return brief;
  const found = stringAt(term.home, term.number, left.characters);
  if (found === undefined) return brief;
  const address = brief.slice(0, brief.indexOf(" "));
  const end = found.isComplete ? '"' : '"...';
  return `${address} "${[...found.text].map(escaped).join("")}${end}`;
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '"' || character === "\\") return `\\${character}`;
  if (code === 10) return "\\n";
  if (code === 9) return "\\t";
  if (code === 13) return "\\r";
  if (code >= 0x20 && code < 0x7f) return character;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}
