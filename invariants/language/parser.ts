/** Parses .inv files: items, each on its own, so that a broken one does not hide the next. */
import { ITEM_WORDS, parseExpression } from "./expression-parser.ts";
import { NUMBER_OF } from "./habits.ts";
import { lex, type Token } from "./lexer.ts";
import { similarName } from "./similar.ts";
import {
  type DefineItem,
  EVENT_NAMES,
  type EventArgument,
  type EventName,
  type EventNode,
  type Expression,
  type InvariantItem,
  type InvFile,
  type Item,
  type MemoryItem,
  type Name,
  type Span,
} from "./syntax.ts";
import type { Diagnostic } from "./term.ts";
import { TokenReader } from "./token-reader.ts";

export interface Parsed {
  readonly file: InvFile;
  readonly comments: readonly Span[];
  /** In the order of their places. */
  readonly diagnostics: readonly Diagnostic[];
}

const isItemWord = ({ kind, text }: Token): boolean => kind === "name" && ITEM_WORDS.has(text);

/** Never throws: what is wrong is a diagnostic, and `missing` expressions stand for what is not there. */
export function parse(text: string): Parsed {
  const { tokens, comments, diagnostics } = lex(text);
  const reader = new TokenReader(tokens);
  const items: Item[] = [];
  while (reader.token.kind !== "end") {
    const before = reader.position;
    const item = parseItem(reader);
    if (item !== undefined) items.push(item);
    if (reader.position === before) reader.take();
  }
  const all = [...diagnostics, ...reader.diagnostics].sort((a, b) => a.start - b.start);
  return { file: { items }, comments, diagnostics: all };
}

function parseItem(reader: TokenReader): Item | undefined {
  const { start } = reader.token;
  if (reader.accept("invariant")) return parseInvariant(reader, start);
  if (reader.accept("define")) return parseDefine(reader, start);
  if (reader.accept("memory")) return parseMemory(reader, start);
  reader.missing('"invariant", "define" or "memory"', "");
  reader.skipTo(isItemWord);
  return undefined;
}

/** After the body: a semicolon, or the place where the next item begins. */
function finish(reader: TokenReader, start: number): Span {
  if (isItemWord(reader.token) || reader.token.kind === "end") unfinished(reader);
  else if (!reader.expect(";", "at the end of the item")) {
    reader.skipTo((token) => token.text === ";" || isItemWord(token));
    reader.accept(";");
  }
  return { start, end: reader.lastEnd };
}

/** Nothing of the item is left over: the semicolon is missed where it belongs. */
function unfinished(reader: TokenReader): void {
  const { last } = reader;
  if (reader.isToldOf(reader.token)) return;
  const text = last.kind === "string" ? undefined : `${last.text};`;
  reader.complain(last, 'A ";" is missing behind this, at the end of the item', text);
}

function parseInvariant(reader: TokenReader, start: number): InvariantItem {
  const name = reader.name("the invariant's name");
  reader.expect("on", "before the events of the invariant");
  const events = [parseEvent(reader)];
  while (reader.accept(",")) events.push(parseEvent(reader));
  const phase = parsePhase(reader);
  const doc = reader.string();
  const source = reader.accept("source") ? reader.string() : undefined;
  reader.expect(":", "before what the invariant says");
  const body = parseExpression(reader);
  const found = events.filter((event) => event !== undefined);
  return {
    kind: "invariant",
    name,
    events: found,
    phase,
    doc,
    source,
    body,
    ...finish(reader, start),
  };
}

function parseEvent(reader: TokenReader): EventNode | undefined {
  const { start } = reader.token;
  const name = reader.name("an event");
  if (name.text === "") return undefined;
  if (!isEventName(name.text)) {
    const message = `There is no event "${name.text}"; there are ${EVENT_NAMES.join(", ")}`;
    reader.complain(name, message, similarName(name.text, EVENT_NAMES));
    if (reader.token.kind === "symbol" && reader.accept("(")) parseNames(reader, undefined);
    return undefined;
  }
  let names: EventArgument[] = [];
  let range: Expression | undefined;
  if (name.text === "write") range = parseRange(reader);
  else if (name.text === "call" || name.text === "return")
    names = [reader.name("a function's name")];
  else if (reader.accept("(")) names = parseNames(reader, name.text);
  return {
    name: name.text,
    arguments: names.filter(({ text }) => text !== ""),
    ...(range === undefined ? {} : { range }),
    start,
    end: reader.lastEnd,
  };
}

/** The bytes of `write(...)`. */
function parseRange(reader: TokenReader): Expression {
  reader.expect("(", "before the range whose writes are meant");
  const range = parseExpression(reader);
  reader.expect(")", "after the range");
  return range;
}

const isEventName = (text: string): text is EventName =>
  (EVENT_NAMES as readonly string[]).includes(text);

/** What stands in an event's brackets, which are open. */
function parseNames(reader: TokenReader, event: EventName | undefined): EventArgument[] {
  const names = [parseArgument(reader, event)];
  while (reader.accept(",")) names.push(parseArgument(reader, event));
  reader.expect(")", "after the names");
  return names;
}

function parseArgument(reader: TokenReader, event: EventName | undefined): EventArgument {
  const { token } = reader;
  if (token.kind !== "number") return reader.name("a name");
  reader.take();
  const { text, value: number, start, end } = token;
  if (event === "msr_write") return { text, number, start, end };
  const field = event === undefined ? undefined : NUMBER_OF[event];
  const instead = field === undefined ? "" : `: for a number compare ${field}`;
  reader.complain(token, `Names stand in the brackets of an event${instead}`);
  return { text: "", start, end: start };
}

function parsePhase(reader: TokenReader): InvariantItem["phase"] {
  if (reader.accept("after")) {
    reader.expect("first", 'in "after first vmrun"');
    reader.expect("vmrun", 'in "after first vmrun"');
    return "firstVmrun";
  }
  if (!reader.accept("from")) return undefined;
  reader.expect("reset", 'in "from reset"');
  return "reset";
}

function parseDefine(reader: TokenReader, start: number): DefineItem {
  const name = reader.name("the definition's name");
  const parameters: { name: Name; type: Name }[] = [];
  if (reader.accept("(") && !reader.accept(")")) {
    do {
      const parameter = reader.name("a parameter");
      reader.expect(":", "before the parameter's type");
      parameters.push({ name: parameter, type: parseTypeName(reader) });
    } while (reader.accept(","));
    reader.expect(")", "after the parameters");
  }
  const doc = reader.string();
  reader.expect("=", "before what the definition stands for");
  const body = parseExpression(reader);
  return { kind: "define", name, parameters, doc, body, ...finish(reader, start) };
}

/** A type's words with one space between them, as "list of hpa range". */
function parseTypeName(reader: TokenReader): Name {
  const first = reader.name("a type");
  let { text, end } = first;
  while (reader.token.kind === "name") {
    const word = reader.take();
    text += ` ${word.text}`;
    end = word.end;
  }
  return { text, start: first.start, end };
}

function parseMemory(reader: TokenReader, start: number): MemoryItem {
  reader.expect("hv", 'in "memory hv"');
  reader.expect("=", "before the ranges");
  const ranges: MemoryItem["ranges"][number][] = [];
  do {
    const first = parseExpression(reader);
    reader.expect("..", "between the first address and the end");
    ranges.push({ first, end: parseExpression(reader) });
  } while (reader.accept(","));
  return { kind: "memory", ranges, ...finish(reader, start) };
}
