/** Names that fit at a place of an .inv file. */
import { typeName as cTypeName } from "../../symbols/types.ts";
import { findMember, memberNames, recordBehind } from "../language/c-types.ts";
import {
  EVENT_NAMES,
  type ProgramNames,
  type Type,
  typeName,
  variablesAt,
  WORDS,
} from "../language/index.ts";
import { lex } from "../language/lexer.ts";
import { typeNames } from "../language/type-syntax.ts";
import { EVENT_DOCS } from "../model/event-docs.ts";
import { BUILT_INS } from "../model/index.ts";
import type { InvWorkspace } from "./workspace.ts";

export interface Candidate {
  readonly name: string;
  /** A symbol is one of the hypervisor's program. */
  readonly kind:
    | ("field" | "variable" | "function" | "constant")
    | ("keyword" | "event" | "type" | "symbol");
  /** Its type. */
  readonly detail?: string;
  readonly doc?: string;
}

const ITEM_WORDS = ["invariant", "define", "memory"];
const HEAD_WORDS = ["on", "after first vmrun", "from reset", "source"];
const MOST_SYMBOLS = 2000;

const words = (names: readonly string[]): Candidate[] =>
  names.map((name) => ({ name, kind: "keyword" }));

/** What stands before the cursor. */
interface Context {
  readonly workspace: InvWorkspace;
  readonly path: string;
  readonly offset: number;
  /** Of the item that the cursor is in. */
  readonly before: string;
}

/** The first row that fits the text before the cursor says what may stand there. */
const HEAD: readonly (readonly [RegExp, (context: Context) => Candidate[]])[] = [
  [/\bdefine\s+\w+\s*\([^)]*:\s*[\w ]*$/, () => types()],
  [/\bexit\s*\([^)]*$/, () => constants(BUILT_INS.exits)],
  [/\bmsr_write\s*\([^)]*$/, () => constants(BUILT_INS.msrs, "MSR_")],
  [/\bexception\s*\([^)]*$/, () => constants(BUILT_INS.exceptions, "VECTOR_")],
  [/\bwrite\s*\((?:[^()]|\([^()]*\)|\()*$/, (context) => everywhere(context)],
  [/\b(?:call|return)\s+\w*$/, ({ workspace, path }) => functions(workspace.programOf(path))],
  [/(?:\bon|,)\s*\w*$/, () => events()],
  [/^\s*\w*$/, () => words(ITEM_WORDS)],
  [/^\s*invariant\b/, () => words(HEAD_WORDS)],
];

export function candidatesAt(workspace: InvWorkspace, path: string, offset: number): Candidate[] {
  const text = workspace.text(path);
  const before = itemBefore(text, offset);
  if (before === undefined) return [];
  const context = { workspace, path, offset, before };
  const member = /(?<!\.)(?:\.|->)\s*\w*$/.exec(before);
  if (member !== null) return members(context, offset - before.length + member.index);
  if (/\$\w*$/.test(before)) return symbols(workspace.programOf(path));
  const tag = /\b(struct|union|enum)\s+\w*$/.exec(before)?.[1];
  if (tag !== undefined) return tagged(tag, workspace.programOf(path));
  if (/^\s*(?:invariant\b[^:]*:|define\b[^=]*=)/.test(before)) return everywhere(context);
  return HEAD.find(([pattern]) => pattern.test(before))?.[1](context) ?? [];
}

/** From where the item begins to the offset, strings and comments as blanks; undefined within one of those. */
function itemBefore(text: string, offset: number): string | undefined {
  const { tokens, comments } = lex(text);
  const strings = tokens.filter(({ kind }) => kind === "string");
  let [start, last] = [0, ""];
  for (const token of tokens) {
    if (token.end > offset) break;
    if (token.text === ";" && token.kind === "symbol") start = token.end;
    const isWord = token.kind === "name" && ITEM_WORDS.includes(token.text);
    if (isWord && token.end < offset && last !== "." && last !== "->") start = token.start;
    last = token.text;
  }
  let before = text.slice(start, offset);
  for (const each of [...comments, ...strings]) {
    const isClosed = /^(?:\/\*[\s\S]*\*\/|".*")$/.test(text.slice(each.start, each.end));
    if (each.start < offset && offset < each.end + (isClosed ? 0 : 1)) return undefined;
    if (each.end <= start || each.start >= offset) continue;
    const [from, to] = [Math.max(each.start - start, 0), each.end - start];
    before = before.slice(0, from) + " ".repeat(to - from) + before.slice(to);
  }
  return before;
}

/** Of what stands before the point. */
function members({ workspace, path }: Context, at: number): Candidate[] {
  const places = workspace.file(path)?.members ?? [];
  const around = places.filter(({ start, end }) => start <= at && at <= end);
  const type = around.sort((a, b) => b.start - a.start)[0]?.object;
  if (type?.kind === "record") {
    const fields = [...(BUILT_INS.records.get(type.record) ?? [])];
    return fields.map(([name, of]) => described(name, "field", of));
  }
  if (type?.kind !== "c") return [];
  const record = recordBehind(type.type, false) ?? recordBehind(type.type, true);
  if (record === undefined) return [];
  return memberNames(record).map((name) => {
    const found = findMember(record, name);
    return { name, kind: "field", ...(found && { detail: cTypeName(found.type) }) };
  });
}

function everywhere({ workspace, path, offset, before }: Context): Candidate[] {
  const { globals, functions: builtIn, constants: named } = BUILT_INS;
  const file = workspace.file(path);
  // What is not written yet belongs to what stands before it.
  const at = offset - before.length + before.trimEnd().length;
  const variables = file === undefined ? [] : variablesAt(file, at);
  const own = [
    ...variables.map(({ name, type }) => described(name, "variable", { type })),
    ...definitions(workspace, path),
    ...[...globals].map(([name, of]) => described(name, "variable", of)),
    ...[...builtIn].map(([name, of]) => described(name, "function", of)),
    ...[...named].map(([name, of]) => described(name, "constant", of)),
    ...words(WORDS.filter((word) => !ITEM_WORDS.includes(word))),
  ];
  const taken = new Set(own.map(({ name }) => name));
  const ofProgram = symbols(workspace.programOf(path)).map(({ name, kind }) => {
    return { name: taken.has(name) ? `$${name}` : name, kind };
  });
  return [...own, ...ofProgram];
}

function definitions(workspace: InvWorkspace, path: string): Candidate[] {
  const all = workspace.checked(path).flatMap((file) => file.definitions);
  return all.map(({ name, body: { type } }) => described(name, "function", { type }));
}

function described(
  name: string,
  kind: Candidate["kind"],
  { type, doc }: { readonly type: Type; readonly doc?: string },
): Candidate {
  return { name, kind, detail: typeName(type), ...(doc === undefined ? {} : { doc }) };
}

const types = (): Candidate[] =>
  typeNames(BUILT_INS).map((name) => ({ name: name.replace("...", ""), kind: "type" }));

/** Types of the program by their tag, which stands before the cursor. */
const tagged = (tag: string, program: ProgramNames | undefined): Candidate[] =>
  first(program?.typeNames?.())
    .filter((name) => program?.typeNamed(`${tag} ${name}`) !== undefined)
    .map((name) => ({ name, kind: "type" }));

const events = (): Candidate[] =>
  EVENT_NAMES.map((name) => ({ name, kind: "event", doc: EVENT_DOCS[name] }));

function constants(names: Iterable<string>, prefix = ""): Candidate[] {
  return [...names].map((name) => {
    const doc = BUILT_INS.constants.get(prefix + name)?.doc;
    return { name, kind: "constant", ...(doc === undefined ? {} : { doc }) };
  });
}

const functions = (program: ProgramNames | undefined): Candidate[] =>
  first(program?.functionNames()).map((name) => ({ name, kind: "symbol" }));

const symbols = (program: ProgramNames | undefined): Candidate[] =>
  first(program?.names()).map((name) => ({ name, kind: "symbol" }));

function first(names: Iterable<string> = []): string[] {
  const found: string[] = [];
  for (const name of names) if (found.push(name) >= MOST_SYMBOLS) break;
  return found;
}
