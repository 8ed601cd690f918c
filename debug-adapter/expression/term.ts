/** What expressions are worth, and what their names stand for. */
import type { Type } from "../../symbols/types.ts";
import type { ValuePlace } from "../value-place.ts";
import type { TypeSource } from "./base-types.ts";
import type { Home } from "./home.ts";

export interface ShowOptions {
  /** Integers in hexadecimal; the default. */
  readonly hex?: boolean;
  /** All of it: long strings and what is inside structures, not only a summary. */
  readonly whole?: boolean;
}

/**
 * What an expression is worth. A number, a float or a text can be compared; an object has members.
 * Values are read when they are asked for, so any field may throw a UserError where it cannot be.
 */
export interface Term {
  /** Of an integer, enumeration, boolean or pointer, with its sign. */
  readonly number?: bigint | undefined;
  /** Of a floating-point value. */
  readonly real?: number | undefined;
  readonly text?: string | undefined;
  /** The C type; a number without one is an unsigned word of 64 bits. */
  readonly ctype?: Type | undefined;
  /** Of a bit field: its width. */
  readonly bitWidth?: number | undefined;
  /** Where the value lies, as a memory reference. */
  readonly reference?: string | undefined;
  /** Where the value lives, if it can be assigned or watched. */
  readonly place?: ValuePlace | undefined;
  /** Why it has no place, a phrase for the user. */
  readonly fixedBecause?: string | undefined;
  /** In bytes, where it is known. */
  readonly size?: number | undefined;
  /** How it is shown, where not simply as a number or text. */
  readonly shown?: string | undefined;
  /** As `shown`, in another way. */
  show?(options: ShowOptions): string;
  /** The same, to be read anew. */
  readonly again?: () => Term;
  /** Why there is no value; undefined where there is one. */
  readonly unavailable?: string | undefined;
  readonly type?: string | undefined;
  /** Where its address and its pointers lead. */
  readonly home?: Home | undefined;
  /** Memory of a space that was named: a cast looks at it as another type. */
  readonly isMemory?: boolean | undefined;
  readonly member?: (name: string) => Term | undefined;
  /** Members by name with their types, for completion. */
  readonly memberNames?: () => readonly { readonly name: string; readonly type?: string }[];
  readonly index?: (index: bigint) => Term | undefined;
  readonly target?: () => Term | undefined;
  /** For the variables view. */
  readonly children?: (start: number, count: number) => readonly NamedTerm[];
  readonly childCount?: number | undefined;
}

export interface NamedTerm {
  readonly name: string;
  readonly term: Term;
  /** What to write for it, given what to write for the whole. */
  readonly expression?: (whole: string) => string;
}

/** What names, registers and memory mean where the expression is evaluated. */
export interface Names {
  name(name: string): Term | undefined;
  /** Without the $. May throw a UserError that says why a register has no value here. */
  register(name: string): Term | undefined;
  /** Throws a UserError where the memory cannot be read. */
  memory(space: string, address: bigint, size: number): Term;
  /** `scope` is an image or a source file. */
  qualified?(scope: string, name: string): Term | undefined;
  readonly types?: TypeSource;
  /** Where addresses lead that come from numbers. */
  readonly home?: Home | undefined;
  /** Missing where nothing may be changed. */
  readonly store?: (place: ValuePlace, value: bigint | Uint8Array) => void;
}
