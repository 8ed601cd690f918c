/** The syntax tree of an .inv file: what the parser makes, with the place of everything in the text. */

/** Offsets into the text in UTF-16 units, the end not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Name extends Span {
  readonly text: string;
}

export interface InvFile {
  readonly items: readonly Item[];
}

export type Item = InvariantItem | DefineItem | MemoryItem;

/**
 * `invariant NAME on EVENT, ... [after first vmrun | from reset] "doc" [source "where from"] : body;`
 */
export interface InvariantItem extends Span {
  readonly kind: "invariant";
  readonly name: Name;
  readonly events: readonly EventNode[];
  /** Undefined: the default of its events. */
  readonly phase: "firstVmrun" | "reset" | undefined;
  readonly doc: Text | undefined;
  readonly source: Text | undefined;
  readonly body: Expression;
}

/** `define NAME(parameter: type, ...) ["doc"] = body;` */
export interface DefineItem extends Span {
  readonly kind: "define";
  readonly name: Name;
  readonly parameters: readonly { readonly name: Name; readonly type: Name }[];
  readonly doc: Text | undefined;
  readonly body: Expression;
}

/** `memory hv = 0x10000000..0x10400000, ...;`: what hv.memory is, the ends not included. */
export interface MemoryItem extends Span {
  readonly kind: "memory";
  readonly ranges: readonly { readonly first: Expression; readonly end: Expression }[];
}

/** The content of a string literal, and where it stands with its quotes. */
export interface Text extends Span {
  readonly text: string;
}

export const EVENT_NAMES = [
  "vmrun",
  "exit",
  "npt_write",
  "vmcb_write",
  "msr_write",
  "text_write",
  "write",
  "exception",
  "call",
  "return",
  "always",
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

/** A name in an event's brackets; in those of msr_write a number too, of which it is the text. */
export interface EventArgument extends Name {
  readonly number?: bigint;
}

/**
 * `exit(NPF, CPUID)`, `msr_write(EFER, 0xc0010117)`, `call f`: the arguments are exits, MSRs, one
 * function; `write(RANGE)` has an expression.
 */
export interface EventNode extends Span {
  readonly name: EventName;
  readonly arguments: readonly EventArgument[];
  readonly range?: Expression;
}

/** Words that have a meaning in items and expressions. */
export const WORDS = [
  ...["invariant", "define", "memory", "on", "after", "from", "source"],
  ...["forall", "exists", "count", "let", "old", "in", "if", "true", "false", "sizeof"],
] as const;

export type BinaryOperator =
  | ("=>" | "<=>" | "||" | "&&" | "|" | "^" | "&" | "==" | "!=")
  | ("<" | "<=" | ">" | ">=" | "<<" | ">>" | "+" | "-" | "*" | "/" | "%");
export type UnaryOperator = "!" | "-" | "~" | "*" | "&";

export type Expression = Span &
  (
    | { readonly kind: "number"; readonly value: bigint; readonly written: string }
    | { readonly kind: "boolean"; readonly value: boolean }
    /** `$x` means a symbol of the program even where something else has the name. */
    | { readonly kind: "name"; readonly name: Name; readonly isSymbol: boolean }
    | {
        readonly kind: "member";
        readonly object: Expression;
        readonly name: Name;
        readonly arrow: boolean;
      }
    | { readonly kind: "index"; readonly object: Expression; readonly index: Expression }
    | { readonly kind: "call"; readonly name: Name; readonly arguments: readonly Expression[] }
    | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
    | {
        readonly kind: "binary";
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | {
        readonly kind: "conditional";
        readonly condition: Expression;
        readonly then: Expression;
        readonly otherwise: Expression;
      }
    /** `x in {A, B}` and `x in range`. */
    | { readonly kind: "in"; readonly element: Expression; readonly of: Expression }
    | { readonly kind: "set"; readonly elements: readonly Expression[] }
    /** `forall x in c if f : e`, `exists ...`, `count(x in c if f : e)` without a body counts all. */
    | {
        readonly kind: "quantifier";
        readonly quantifier: "forall" | "exists" | "count";
        readonly variable: Name;
        readonly collection: Expression;
        readonly filter: Expression | undefined;
        readonly body: Expression;
      }
    | {
        readonly kind: "let";
        readonly variable: Name;
        readonly value: Expression;
        readonly body: Expression;
      }
    | { readonly kind: "old"; readonly body: Expression }
    /** Where the parser found no expression. */
    | { readonly kind: "missing" }
  );
