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

/** A definition as written, and once checked. */
export interface KnownDefinition {
  readonly item: DefineItem;
  readonly path: string;
  /** Undefined until it is checked, and where it calls itself. */
  checked: Definition | undefined;
  isBeingChecked: boolean;
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
  /** Checks a definition where it stands, if that is not done yet; undefined on a circle. */
  definition(known: KnownDefinition): Definition | undefined;
}

/** Collects what is said of one file. */
export class FileNotes {
  readonly diagnostics: Diagnostic[] = [];
  readonly references: Reference[] = [];

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

  private add(
    severity: Diagnostic["severity"],
    { start, end }: Span,
    message: string,
    related: Diagnostic["related"],
  ): void {
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
