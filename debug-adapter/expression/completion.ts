/** What can come next where an expression ends. */
import { evaluate } from "./evaluate.ts";
import { parse } from "./parser.ts";
import type { Names } from "./term.ts";

/** Kinds as DAP names them, for the client's icons. */
export type CompletionType =
  | "variable"
  | "function"
  | "field"
  | "class"
  | "enum"
  | "keyword"
  | "module";

export interface Completion {
  readonly label: string;
  /** What is inserted, if not the label. */
  readonly text?: string | undefined;
  readonly type: CompletionType;
  /** The type or what it is. */
  readonly detail?: string | undefined;
}

export interface CompletionSource {
  readonly names: Names;
  /** Registers and other names after a $, without it. */
  registers(): Iterable<Completion>;
  /** Everything that a bare name may be, the nearest first. */
  bare(): Iterable<Completion>;
  types(): Iterable<Completion>;
  /** Names of an image; undefined where there is no such image. */
  ofImage(name: string): Iterable<Completion> | undefined;
  /** Words that are commands at the beginning of the text. */
  commands(): Iterable<Completion>;
}

export interface Completions {
  /** Offset of the text that a completion replaces. */
  readonly start: number;
  readonly items: readonly Completion[];
}

const MAX_ITEMS = 200;
const SPACES: readonly (readonly [string, string])[] = [
  ["hpa", "host-physical memory"],
  ["hva", "host-virtual memory"],
  ["gpa", "guest-physical memory"],
  ["gva", "guest-virtual memory"],
];

/** Completions behind `before`; none where it makes no sense. */
export function completionsAt(before: string, source: CompletionSource): Completions {
  const word = /[A-Za-z0-9_]*$/.exec(before)?.[0] ?? "";
  const start = before.length - word.length;
  const head = before.slice(0, start);
  const from = (at: number, items: Iterable<Completion>, prefix = "") => {
    return { start: at, items: matching(items, prefix + word) };
  };
  if (/^[0-9]/.test(word) || isInString(head)) return { start, items: [] };
  if (head.endsWith("$")) return from(start - 1, prefixed("$", source.registers()), "$");
  if (head.endsWith("@")) return from(start - 1, spaces(), "@");
  if (/(?:\.|->)$/.test(head)) return from(start, members(head, source.names));
  const image = /([A-Za-z_][\w.+-]*)!$/.exec(head)?.[1];
  const ofImage = image === undefined ? undefined : source.ofImage(image);
  if (ofImage !== undefined) return from(start, ofImage);
  const tag = /\b(struct|union|enum)\s+$/.exec(head)?.[1];
  if (tag !== undefined) return from(start, tagged(tag, source.types()));
  return from(start, open(head, source));
}

/** Where a value begins: names, behind a parenthesis types too, at the beginning commands too. */
function* open(head: string, source: CompletionSource): Iterable<Completion> {
  yield* source.bare();
  if (/(?:^|[^\w)\]])\(\s*$/.test(head) || /\bsizeof\s*\(\s*$/.test(head)) yield* source.types();
  if (head.trim() === "") yield* source.commands();
}

function isInString(head: string): boolean {
  return (head.replaceAll(/\\./g, "").match(/"/g)?.length ?? 0) % 2 === 1;
}

function* prefixed(prefix: string, items: Iterable<Completion>): Iterable<Completion> {
  for (const { label, type, detail } of items) yield { label: prefix + label, type, detail };
}

function* spaces(): Iterable<Completion> {
  for (const [name, detail] of SPACES) {
    yield { label: `@${name}`, text: `@${name}(`, type: "keyword", detail };
  }
}

function* tagged(tag: string, types: Iterable<Completion>): Iterable<Completion> {
  for (const item of types) {
    if (item.detail === tag) yield { label: item.label, type: item.type, detail: tag };
  }
}

/** Members of what stands before the last "." or "->", by its value's type. */
function* members(head: string, names: Names): Iterable<Completion> {
  const object = lastOperand(head.replace(/(?:\.|->)$/, ""));
  if (object === "") return;
  try {
    const term = evaluate(parse(object), names);
    for (const { name, type } of term.memberNames?.() ?? []) {
      yield { label: name, type: "field", detail: type };
    }
  } catch {
    // What has no value has no members to offer.
  }
}

/** The postfix expression at the end of the text: "1 + p->list[(x)]" gives "p->list[(x)]". */
function lastOperand(text: string): string {
  let depth = 0;
  let at = text.length;
  for (; at > 0; at--) {
    const character = text[at - 1] as string;
    if (character === ")" || character === "]") depth++;
    else if (character === "(" || character === "[") {
      if (depth === 0) break;
      depth--;
    } else if (depth === 0 && !/[\w$!.]/.test(character)) {
      const isArrow = character === ">" && text[at - 2] === "-";
      if (!isArrow) break;
      at--;
    }
  }
  const operand = text.slice(at);
  return text[at - 1] === "@" ? `@${operand}` : operand;
}

/** Those that begin with the text first, then those that hold it. */
function matching(items: Iterable<Completion>, typed: string): Completion[] {
  const wanted = typed.toLowerCase();
  const begin: Completion[] = [];
  const within: Completion[] = [];
  const seen = new Set<string>();
  for (const item of items) {
    const at = item.label.toLowerCase().indexOf(wanted);
    if (at < 0 || seen.has(item.label)) continue;
    seen.add(item.label);
    if (at === 0) begin.push(item);
    else if (within.length < MAX_ITEMS) within.push(item);
    if (begin.length >= MAX_ITEMS) break;
  }
  return [...begin, ...within].slice(0, MAX_ITEMS);
}
