/** What the debugger asks about the code of one program, wherever its symbols come from. */
import type { FrameState } from "./location.ts";
import type { RegisterSet } from "./registers.ts";
import type { SourceLocation } from "./source-index.ts";
import type { SymbolHit, SymbolTable } from "./symbol-table.ts";
import type { EnumType, Type } from "./types.ts";
import type { Unwound } from "./unwind.ts";
import type { Variable } from "./variable.ts";

export interface FunctionHit {
  readonly name: string;
  readonly start: bigint;
  /** Undefined for a label without a size. */
  readonly end: bigint | undefined;
  readonly offset: bigint;
  /** Whether debug information or only the symbol table names it. */
  readonly source: "dwarf" | "symbol";
}

/** Where a breakpoint on a function belongs. */
export interface FunctionPlace {
  readonly name: string;
  readonly address: bigint;
  /** Where parameters have their values: behind the prologue, in optimised code at once. */
  readonly body: bigint;
  readonly isInlined: boolean;
  readonly location: SourceLocation | undefined;
}

/** A source-level frame: one machine frame has several where calls are inlined. */
export interface SourceFrame {
  readonly name: string;
  readonly isInlined: boolean;
  /** Of the pc in the innermost frame; of the inlined call in the others. */
  readonly location: SourceLocation | undefined;
  /** Parameters first, then locals, those of inner blocks first. */
  readonly variables: readonly Variable[];
}

export interface LineAddresses {
  /** The line itself, or the next one that has code. */
  readonly line: number;
  /** One for each function, or inlined copy of one, that has code for the line. Ascending. */
  readonly addresses: readonly bigint[];
}

export interface NamedEnumerator {
  readonly type: EnumType;
  readonly value: bigint;
}

/**
 * The symbols and source of one program. Nothing throws: what is missing or damaged gives fewer
 * answers, and `problems` says what could not be read. All addresses are those of the program as it
 * was linked; moved-symbols.ts puts it elsewhere.
 */
export interface ImageSymbols {
  readonly registers: RegisterSet;
  /** In hexadecimal, if the program carries one. */
  readonly buildId: string | undefined;
  readonly symbols: Pick<SymbolTable, "at" | "named" | "names">;
  /** What could not be read so far, one sentence each. */
  readonly problems: readonly string[];
  readonly hasDebugInfo: boolean;

  /** The function that holds `address`, by debug information, else by symbol. */
  functionAt(address: bigint): FunctionHit | undefined;
  /** The symbol that holds `address`, data included. */
  symbolAt(address: bigint): SymbolHit | undefined;
  /** The source line of the instruction at `address`. */
  sourceAt(address: bigint): SourceLocation | undefined;
  /** Paths of all source files that the debug information names. */
  sourceFiles(): string[];
  /**
   * The file as debug information names it that an editor's `path` means: the same path, or a
   * relative one that it ends with. The lookups below take what this gives.
   */
  fileFor(path: string): string | undefined;
  /** Lines of a file at which a breakpoint can stop, ascending. */
  linesOf(path: string): number[];
  /**
   * Where to stop for a line; it slides to the next line with code. Undefined where the file is
   * not known or has no code from that line on. At a function's first line: where its parameters
   * have their values.
   */
  addressesOf(path: string, line: number): LineAddresses | undefined;
  /** Functions of that name: their own code and each place where one is inlined. */
  functionsNamed(name: string): FunctionPlace[];
  /**
   * The source frames of the machine frame at `pc`, innermost first; empty without debug
   * information. For a frame that made a call pass the return address minus one.
   */
  framesAt(pc: bigint): SourceFrame[];
  /** Global and file-level variables of that name. */
  globalsNamed(name: string): readonly Variable[];
  /** A type by its name in C, e.g. "struct vmcb" or "u64"; rather complete than only declared. */
  typeNamed(name: string): Type | undefined;
  /** Where debug information is: what a function of that name returns. */
  returnTypeOf?(name: string): Type | undefined;
  /** Where debug information is: the place of a named type's declaration, or of a member's. */
  declarationOf?(type: Type, member?: string): SourceLocation | undefined;
  /** That of a function, or where the code of a label of assembly begins. */
  functionDeclaration?(name: string): SourceLocation | undefined;
  /** Where enumerators are known: the one of that name. */
  enumeratorNamed?(name: string): NamedEnumerator | undefined;
  /** Names of all global variables, enumerators and types (without tags), for completion. */
  globalNames?(): Iterable<string>;
  enumeratorNames?(): Iterable<string>;
  typeNames?(): Iterable<string>;
  /** The caller of the frame at `pc`, by the program's own unwind tables. */
  unwind(pc: bigint, state: FrameState): Unwound;
}
