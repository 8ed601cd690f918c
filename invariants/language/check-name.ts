/** Checks names: variables, the event's function, built-ins, definitions, then the program's symbols. */
import { cType } from "./c-types.ts";
import {
  errorTerm,
  type FileNotes,
  type Place,
  type Scope,
  type Shared,
  whyUnknown,
} from "./checker.ts";
import { insteadOf } from "./habits.ts";
import type { Expression, Name } from "./syntax.ts";
import type { Term } from "./term.ts";
import { INTEGER } from "./types.ts";

export class NameChecker {
  private readonly shared: Shared;
  private readonly notes: FileNotes;

  constructor(shared: Shared, notes: FileNotes) {
    this.shared = shared;
    this.notes = notes;
  }

  check(node: Extract<Expression, { kind: "name" }>, place: Place): Term {
    const { name } = node;
    if (name.text === "") return errorTerm(node);
    const found = node.isSymbol
      ? this.symbol(name)
      : (this.variable(name, place) ??
        this.ofFunction(name, place) ??
        this.definition(name) ??
        this.builtIn(name, place) ??
        this.symbol(name));
    if (found !== undefined) return { ...found, start: node.start, end: node.end };
    this.complain(name, place);
    return errorTerm(node);
  }

  private variable(name: Name, { scope }: Place): Term | undefined {
    let at: Scope | undefined = scope;
    while (at !== undefined && at.variable.name !== name.text) at = at.outer;
    if (at === undefined) return undefined;
    at.isUsed = true;
    const { variable, declared } = at;
    this.notes.refer(name, { kind: "variable", variable, declared }, variable.type);
    return { kind: "variable", variable, type: variable.type, ...span(name) };
  }

  /** Parameters and the result of the function that the event is about, where there is one such event. */
  private ofFunction(name: Name, { events }: Place): Term | undefined {
    const [event, second] = events;
    const called = event?.arguments[0]?.text;
    if (event === undefined || second !== undefined || called === undefined) return undefined;
    if (event.name !== "call" && event.name !== "return") return undefined;
    const found = this.shared.program?.function(called);
    const isResult = name.text === "result" && event.name === "return";
    const type = found?.parameters.get(name.text) ?? (isResult ? found?.result : undefined);
    if (type === undefined) return undefined;
    const of = found?.parameters.has(name.text) ? "parameter" : "result";
    const referent = { kind: "argument", name: name.text, of, function: called } as const;
    this.notes.refer(name, referent, cType(type));
    return { kind: "symbol", name: name.text, of, type: cType(type), ...span(name) };
  }

  /** A definition without parameters. */
  private definition(name: Name): Term | undefined {
    const known = this.shared.definitions.get(name.text);
    if (known === undefined) return undefined;
    const { path } = known;
    const declared = known.item.name;
    const definition = this.shared.definition(known);
    this.notes.refer(
      name,
      { kind: "definition", name: name.text, path, declared },
      definition?.body.type,
    );
    if (definition === undefined) return errorTerm(name);
    if (definition.parameters.length > 0) {
      this.notes.error(
        name,
        `${name.text} takes ${counted(definition.parameters.length)} in brackets`,
      );
      return errorTerm(name);
    }
    return { kind: "expand", definition, arguments: [], type: definition.body.type, ...span(name) };
  }

  private builtIn(name: Name, { events }: Place): Term | undefined {
    const { globals, constants } = this.shared.builtIns;
    const constant = constants.get(name.text);
    if (constant !== undefined) {
      this.notes.refer(name, { kind: "constant", name: name.text }, INTEGER);
      return {
        kind: "constant",
        value: constant.value,
        name: name.text,
        type: INTEGER,
        ...span(name),
      };
    }
    const global = globals.get(name.text);
    if (global === undefined) return undefined;
    this.notes.refer(name, { kind: "global", name: name.text }, global.type);
    const without = events.find((event) => global.events && !global.events.includes(event.name));
    if (without !== undefined) {
      const list = (global.events ?? []).join(", ");
      this.notes.warning(
        name,
        `${name.text} is unknown at ${without.name}: it has a meaning at ${list}`,
      );
    }
    return { kind: "global", name: name.text, type: global.type, ...span(name) };
  }

  private symbol(name: Name): Term | undefined {
    const { program } = this.shared;
    const value = program?.enumerator(name.text);
    if (value !== undefined) {
      this.notes.refer(name, { kind: "enumerator", name: name.text }, INTEGER);
      return { kind: "constant", value, name: name.text, type: INTEGER, ...span(name) };
    }
    const global = program?.global(name.text);
    if (global === undefined) return undefined;
    const type = cType(global.type);
    this.notes.refer(name, { kind: "symbol", name: name.text, of: "global" }, type);
    return { kind: "symbol", name: name.text, of: "global", type, ...span(name) };
  }

  private complain(name: Name, place: Place): void {
    const { text } = name;
    for (let at = place.aroundOld; at !== undefined; at = at.outer) {
      if (at.variable.name !== text) continue;
      const why =
        "has its value at this event, and old looks at an earlier one: leave it out of old";
      this.notes.error(name, `${text} ${why}`);
      return;
    }
    const { builtIns, program, definitions } = this.shared;
    const known: string[] = [];
    for (let at = place.scope; at !== undefined; at = at.outer) known.push(at.variable.name);
    known.push(...definitions.keys(), ...builtIns.globals.keys(), ...builtIns.constants.keys());
    known.push(...(program?.names() ?? []));
    const message = `There is no name ${text}`;
    const why = insteadOf(text) || this.ofOtherEvent(text, place);
    if (why !== "") this.notes.error(name, message + why);
    else this.notes.unknownName(name, message, known, whyUnknown(program));
  }

  /** Why a parameter or result of an event's function is none here; empty where it is no such name. */
  private ofOtherEvent(text: string, { events }: Place): string {
    const calls = events.filter((event) => event.name === "call" || event.name === "return");
    if (text === "result" && calls.length > 0) return ": a result is there at one return alone";
    const of = calls.find(({ arguments: [called] }) =>
      this.shared.program?.function(called?.text ?? "")?.parameters.has(text),
    )?.arguments[0];
    if (of === undefined) return "";
    return `: it is a parameter of ${of.text}, and this invariant has other events too`;
  }
}

const counted = (many: number): string => (many === 1 ? "one argument" : `${many} arguments`);

const span = ({ start, end }: Name) => ({ start, end });
