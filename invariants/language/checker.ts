/** What checking a set of .inv files shares: names, diagnostics, and what each name in the text refers to. */
import type { RecordType } from "../../symbols/types.ts";
import type { BuiltIns, ProgramNames } from "./declarations.ts";
import { similarName } from "./similar.ts";
import type { DefineItem, EventName, EventNode, Name, Span } from "./syntax.ts";
import type { Definition, Diagnostic, Term, Variable } from "./term.ts";
import { ERROR, type Type } from "./types.ts";

/** What a name in the text stands for. */
export type Referent =
  | {
      readonly kind: "global" | "function" | "constant" | "exit" | "msr" | "exception";
      readonly name: string;
    }
  | { readonly kind: "event"; readonly name: EventName }
  | { readonly kind: "field"; readonly record: string; readonly name: string }
  | { readonly kind: "member"; readonly record: RecordType; readonly name: string }
  /** A built-in type, or one of the program's, by its name there. */
  | { readonly kind: "type"; readonly name: string; readonly type: Type }
  | { readonly kind: "variable"; readonly variable: Variable; readonly declared: Span }
  | {
      readonly kind: "definition";
      readonly name: string;
      readonly path: string;
      readonly declared: Span;
    }
  | {
      readonly kind: "invariant";
      readonly name: string;
      readonly path: string;
      readonly declared: Span;
    }
  | {
      readonly kind: "symbol";
      readonly name: string;
      readonly of: "global" | "function";
    }
  /** Of the function of the program that the event is about. */
  | {
      readonly kind: "argument";
      readonly name: string;
      readonly of: "parameter" | "result";
      readonly function: string;
    }
  | { readonly kind: "enumerator"; readonly name: string };

export interface Reference extends Span {
  readonly referent: Referent;
  readonly type: Type | undefined;
}

/** From the end of an object to that of its member's name, which may be missing. */
export interface MemberPlace extends Span {
  readonly object: Type;
  /** Where the object begins. */
  readonly from: number;
}

/** A variable and the part of the text that sees it, for completion. */
export interface Visible extends Span {
  readonly variable: Variable;
}

/** A definition as written, and once checked. */
export interface KnownDefinition {
  readonly item: DefineItem;
  readonly path: string;
  /** Undefined until it is checked, and where it calls itself. */
  checked: Definition | undefined;
  isBeingChecked: boolean;
  /** With all definitions within it, once checked. */
  depth: number;
  parts: number;
}

/** More is refused: no text makes a walk over terms run out of stack, or never end. */
export const MOST_DEEP = 1000;
export const MOST_PARTS = 1_000_000;
export const TOO_MUCH = `too much: with all definitions put in, at most ${MOST_DEEP} deep and ${MOST_PARTS} parts`;

/** How much stands around and in the expression that is being checked, definitions put in. */
export interface Extent {
  depth: number;
  deepest: number;
  parts: number;
}

/** Variables that can be seen, the innermost first. */
export interface Scope {
  readonly variable: Variable;
  readonly declared: Span;
  readonly outer: Scope | undefined;
  isUsed: boolean;
}

/** What all files have in common. */
export interface Shared {
  readonly builtIns: BuiltIns;
  readonly program: ProgramNames | undefined;
  readonly definitions: ReadonlyMap<string, KnownDefinition>;
  readonly extent: Extent;
  /** Checks a definition where it stands, if that is not done yet; undefined on a circle. */
  definition(known: KnownDefinition): Definition | undefined;
}

/** Collects what is said of one file. */
export class FileNotes {
  readonly diagnostics: Diagnostic[] = [];
  readonly references: Reference[] = [];
  readonly visible: Visible[] = [];
  readonly members: MemberPlace[] = [];
  private readonly said = new Set<string>();

  error({ start, end }: Span, message: string): void {
    this.add({ severity: "error", start, end, message });
  }

  /** Of a name that nothing has: says which known one is meant, or else what explains it. */
  unknownName(name: Name, message: string, known: Iterable<string>, otherwise = ""): void {
    const suggestion = similarName(name.text, known);
    const error = { severity: "error", start: name.start, end: name.end } as const;
    if (suggestion === undefined) this.add({ ...error, message: message + otherwise });
    else this.add({ ...error, message: `${message}; did you mean ${suggestion}?`, suggestion });
  }

  warning({ start, end }: Span, message: string): void {
    this.add({ severity: "warning", start, end, message });
  }

  refer(span: Span, referent: Referent, type?: Type): void {
    const { start, end } = span;
    if (end > start) this.references.push({ start, end, referent, type });
  }

  /** Of a variable that is seen from `start` to `end`. */
  see(variable: Variable, start: number, end: number): void {
    if (variable.name !== "") this.visible.push({ variable, start, end });
  }

  private add(diagnostic: Diagnostic): void {
    const key = `${diagnostic.start} ${diagnostic.message}`;
    if (this.said.has(key)) return;
    this.said.add(key);
    this.diagnostics.push(diagnostic);
  }
}

/** Where an expression stands. */
export interface Place {
  /** Of the invariant; empty in a definition, which may be used anywhere. */
  readonly events: readonly EventNode[];
  readonly scope: Scope | undefined;
  /** Within old: the variables around it, which have no value at an earlier event. */
  readonly aroundOld?: Scope | undefined;
  readonly isWithinOld: boolean;
}

/** Why a name that may be one of the hypervisor's is not known; empty where all its names are. */
export function whyUnknown(program: ProgramNames | undefined): string {
  if (program === undefined) {
    return ", and the hypervisor's own names are not known: its image has no debug information, or none is given";
  }
  const { problem } = program;
  return problem === undefined ? "" : `, and not all names of the hypervisor are known: ${problem}`;
}

/** A term for what could not be checked: it fits everywhere. */
export const errorTerm = ({ start, end }: Span): Term => {
  return { kind: "constant", value: false, type: ERROR, start, end };
};
