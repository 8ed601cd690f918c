/** Values written out in full, for the clipboard. */
import { stripped } from "../symbols/types.ts";
import type { Home } from "./home.ts";
import type { ShowOptions, Term } from "./term.ts";

/** Characters; what is longer ends in "...". */
const MAX_WHOLE = 1 << 20;
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

/** "{x = 0x3, list = {0x1, 0x2}}"; strings are not cut, pointers not followed but to text. */
export function wholeText(term: Term, options: ShowOptions): string {
  const left = { characters: MAX_WHOLE };
  return written(term, { ...options, whole: false }, left, 0);
}

function written(
  term: Term,
  options: ShowOptions,
  left: { characters: number },
  depth: number,
): string {
  const type = term.ctype && stripped(term.ctype);
  const brief = term.show?.(options) ?? term.shown ?? "";
  if (left.characters <= 0 || depth > MAX_DEPTH) return "...";
  left.characters -= brief.length;
  if (term.unavailable !== undefined || type === undefined) return brief;
  if (type.kind === "pointer") return pointerText(term, brief, left);
  const isText = type.kind === "array" && brief.startsWith('"');
  if (isText && !brief.endsWith("...")) return brief;
  if (type.kind !== "struct" && type.kind !== "union" && type.kind !== "array") return brief;
  const parts: string[] = [];
  const count = term.childCount ?? 0;
  for (let i = 0; i < count; i++) {
    if (left.characters <= 0) {
      parts.push("...");
      break;
    }
    const child = term.children?.(i, 1)[0];
    if (child === undefined) break;
    const text = written(child.term, options, left, depth + 1);
    parts.push(type.kind === "array" || child.name === "" ? text : `${child.name} = ${text}`);
  }
  return `{${parts.join(", ")}}`;
}

function pointerText(term: Term, brief: string, left: { characters: number }): string {
  if (!brief.endsWith('"...') || term.home === undefined || term.number === undefined) return brief;
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
