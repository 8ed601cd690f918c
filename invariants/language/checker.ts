/** What checking a set of .inv files shares: names, diagnostics, and what each name in the text refers to. */
import type { BuiltIns, ProgramNames } from "./declarations.ts";
import type { DefineItem, EventNode, Span } from "./syntax.ts";
import type { Definition, Diagnostic, Term, Variable } from "./term.ts";
import { ERROR, type Type } from "./types.ts";

/** What a name in the text stands for. */
export type Referent =
  | { readonly kind: "global" | "function" | "constant" | "exit" | "msr"; readonly name: string }
  | { readonly kind: "event"; readonly name: string }
  | { readonly kind: "field"; readonly record: string; readonly name: string }
  | { readonly kind: "member"; readonly of: string; readonly name: string }
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
      readonly of: "global" | "parameter" | "result" | "function";
    }
  | { readonly kind: "enumerator"; readonly name: string };

export interface Reference extends Span {
  readonly referent: Referent;
  readonly type: Type | undefined;
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
  private readonly said = new Set<string>();

  error(span: Span, message: string, related?: Diagnostic["related"]): void {
    this.add("error", span, message, related);
  }

  warning(span: Span, message: string): void {
    this.add("warning", span, message, undefined);
  }

  refer(span: Span, referent: Referent, type?: Type): void {
    const { start, end } = span;
    if (end > start) this.references.push({ start, end, referent, type });
  }

  /** Of a variable that is seen from `start` to `end`. */
  see(variable: Variable, start: number, end: number): void {
    if (variable.name !== "") this.visible.push({ variable, start, end });
  }

  private add(
    severity: Diagnostic["severity"],
    { start, end }: Span,
    message: string,
    related: Diagnostic["related"],
  ): void {
    const key = `${start} ${message}`;
    if (this.said.has(key)) return;
    this.said.add(key);
    this.diagnostics.push({ severity, start, end, message, ...(related ? { related } : {}) });
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

/** A term for what could not be checked: it fits everywhere. */
export const errorTerm = ({ start, end }: Span): Term => {
  return { kind: "constant", value: false, type: ERROR, start, end };
};
