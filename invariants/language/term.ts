/** Checked expressions: what the checker makes of syntax, with every name resolved and every type known. */
import type { BinaryOperator, EventNode, Name, Span } from "./syntax.ts";
import type { Type } from "./types.ts";

/** A variable of a quantifier, a let or a definition's parameter: compared by identity. */
export interface Variable {
  readonly name: string;
  readonly type: Type;
}

interface Typed extends Span {
  readonly type: Type;
}

export type Term = Typed &
  (
    | {
        readonly kind: "constant";
        readonly value: bigint | boolean;
        readonly name?: string;
        /** A number as it stands in the text. */
        readonly written?: string;
      }
    | { readonly kind: "variable"; readonly variable: Variable }
    /** A built-in global. */
    | { readonly kind: "global"; readonly name: string }
    /** A global object of the program's, or a parameter or the result of the event's function. */
    | {
        readonly kind: "symbol";
        readonly name: string;
        readonly of: "global" | "parameter" | "result";
      }
    | {
        readonly kind: "field";
        readonly object: Term;
        readonly record: string;
        readonly name: string;
      }
    /** Of a C struct or union, or through a pointer to one. */
    | { readonly kind: "cMember"; readonly object: Term; readonly name: string }
    /** Of a list, a C array or a C pointer. */
    | { readonly kind: "element"; readonly object: Term; readonly index: Term }
    | { readonly kind: "dereference"; readonly pointer: Term }
    /** The hva of a C object. */
    | { readonly kind: "addressOf"; readonly object: Term }
    /** A C object where an integer or a boolean is wanted. */
    | { readonly kind: "load"; readonly object: Term }
    | { readonly kind: "call"; readonly name: string; readonly arguments: readonly Term[] }
    /** The definition's body stands once; its parameters are bound to the arguments. */
    | {
        readonly kind: "expand";
        readonly definition: Definition;
        readonly arguments: readonly Term[];
      }
    | { readonly kind: "unary"; readonly operator: "!" | "-" | "~"; readonly operand: Term }
    | {
        readonly kind: "binary";
        readonly operator: BinaryOperator;
        readonly left: Term;
        readonly right: Term;
      }
    | {
        readonly kind: "conditional";
        readonly condition: Term;
        readonly then: Term;
        readonly otherwise: Term;
      }
    | { readonly kind: "oneOf"; readonly element: Term; readonly set: readonly Term[] }
    /** A set that a quantifier runs over. */
    | { readonly kind: "list"; readonly elements: readonly Term[] }
    /** Whether an address lies in a range. */
    | { readonly kind: "inRange"; readonly element: Term; readonly range: Term }
    | {
        readonly kind: "quantifier";
        readonly quantifier: "forall" | "exists" | "count";
        readonly variable: Variable;
        readonly collection: Term;
        readonly filter: Term | undefined;
        readonly body: Term;
      }
    | {
        readonly kind: "let";
        readonly variable: Variable;
        readonly value: Term;
        readonly body: Term;
      }
    /** The value at the matching earlier event: exit -> its VMRUN, return -> its call, vmrun -> the exit before. */
    | { readonly kind: "old"; readonly body: Term }
  );

export interface Definition {
  readonly name: string;
  readonly parameters: readonly Variable[];
  readonly body: Term;
}

/** An event, and of `write` the bytes that it is about; numbers of MSRs are hexadecimal texts. */
export interface CheckedEvent extends Omit<EventNode, "range" | "arguments"> {
  readonly arguments: readonly Name[];
  readonly range?: Term;
}

/** An invariant that may be evaluated. */
export interface CheckedInvariant {
  readonly name: string;
  readonly events: readonly CheckedEvent[];
  readonly phase: "firstVmrun" | "reset";
  readonly doc: string;
  /** Where it comes from, e.g. "APM volume 2, section 15.25.3". */
  readonly source: string | undefined;
  readonly body: Term;
  /** The path of its file and where it stands there. */
  readonly file: string;
  readonly span: Span;
  readonly nameSpan: Span;
}

export interface Diagnostic extends Span {
  readonly severity: "error" | "warning";
  /** One sentence that names types and names involved. */
  readonly message: string;
  /** What to write in its place: the known name that is nearest. */
  readonly suggestion?: string;
}

export interface CheckedFile {
  readonly path: string;
  readonly invariants: readonly CheckedInvariant[];
  readonly definitions: readonly Definition[];
  /** What `memory hv` declares. */
  readonly memory: readonly { readonly first: bigint; readonly end: bigint }[];
  readonly diagnostics: readonly Diagnostic[];
}
