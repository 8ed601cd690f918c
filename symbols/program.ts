// The symbols and source of one program: what the debug adapter asks about an ELF image.

import { CallSites } from "./call-sites.ts";
import { At, Tag } from "./dwarf/constants.ts";
import type { Entry } from "./dwarf/entry.ts";
import { asNumber } from "./dwarf/forms.ts";
import { CallFrames } from "./dwarf/frame.ts";
import { DebugInfo } from "./dwarf/info.ts";
import { FormatError } from "./dwarf/reader.ts";
import { DwarfSections } from "./dwarf/sections.ts";
import { TypeReader } from "./dwarf/type-reader.ts";
import { buildId, type Elf, type Machine, readElf, readSymbols } from "./elf.ts";
import type {
  FunctionHit,
  FunctionPlace,
  ImageSymbols,
  LineAddresses,
  NamedEnumerator,
  SourceFrame,
} from "./image-symbols.ts";
import type { FrameState } from "./location.ts";
import { REGISTERS, type RegisterSet } from "./registers.ts";
import { type ActiveFunction, ScopeIndex, variablesIn } from "./scopes.ts";
import { SourceIndex, type SourceLocation } from "./source-index.ts";
import { type SymbolHit, SymbolTable } from "./symbol-table.ts";
import { sizeOf, stripped, type Type, typeName } from "./types.ts";
import { Unwinder, type Unwound } from "./unwind.ts";
import { makeVariable, type Variable, type VariableScope } from "./variable.ts";

const SHF_ALLOC = 2n;

/**
 * All addresses are those the program was linked at; a caller that loaded it elsewhere subtracts.
 * The constructor throws a FormatError of one sentence if `bytes` is no usable ELF file; after
 * that nothing throws: debug information that is missing or damaged gives fewer answers, and
 * `problems` says what could not be read.
 */
export class ProgramSymbols implements ImageSymbols {
  readonly file: string;
  readonly machine: Machine;
  readonly registers: RegisterSet;
  readonly buildId: string | undefined;
  readonly symbols: SymbolTable;
  private readonly sections: DwarfSections;
  private readonly info: DebugInfo;
  private readonly sources: SourceIndex;
  private readonly scopes: ScopeIndex;
  private readonly callSites: CallSites;
  private readonly types = new TypeReader();
  private readonly ownProblems: string[] = [];
  private readonly addressSize: 4 | 8;
  private frames: { calls: CallFrames; unwinder: Unwinder } | undefined;
  private readonly globalsByName = new Map<string, readonly Variable[]>();
  private readonly typesByName = new Map<string, Type | undefined>();

  constructor(bytes: Uint8Array, file: string) {
    const elf = readElf(bytes, file);
    this.file = file;
    this.machine = elf.machine;
    this.registers = REGISTERS[elf.machine];
    this.addressSize = elf.is64 ? 8 : 4;
    this.buildId = this.attempt(() => buildId(elf), undefined);
    this.symbols = new SymbolTable(this.attempt(() => readSymbols(elf), []));
    this.sections = new DwarfSections(elf);
    this.info = new DebugInfo(this.sections);
    const isLoaded = loadedIn(elf);
    this.sources = new SourceIndex(this.info, isLoaded);
    this.scopes = new ScopeIndex(this.info, isLoaded, (unit) => {
      return this.sources.tableOf(unit)?.ranges ?? [];
    });
    this.callSites = new CallSites(
      this.scopes,
      () => this.callFrames().unwinder,
      (pc, concrete) => this.variableScope(pc, concrete),
    );
    if (elf.type === 1) this.ownProblems.push(`${file}: an object file that is not linked`);
    if (this.info.units.some((unit) => unit.header.unitType === 4 || isSkeleton(unit.root))) {
      this.ownProblems.push(`${file}: its debug information is split into .dwo files`);
    }
  }

  /** What could not be read so far, one sentence each. */
  get problems(): readonly string[] {
    const { sections, info, sources, frames } = this;
    const lists = [this.ownProblems, sections.problems, info.problems, sources.problems];
    return [...new Set([...lists.flat(), ...(frames?.calls.problems ?? [])])];
  }

  get hasDebugInfo(): boolean {
    return this.info.units.length > 0;
  }

  /** The function that holds `address`, by debug information, else by symbol. */
  functionAt(address: bigint): FunctionHit | undefined {
    const found = this.scopes.functionAt(address);
    const symbol = this.symbolAt(address);
    const name = found?.entry.name;
    const range = found?.ranges.find(({ start, end }) => start <= address && address < end);
    if (name !== undefined && range) {
      const offset = address - range.start;
      return { name, start: range.start, end: range.end, offset, source: "dwarf" };
    }
    if (!symbol || symbol.symbol.kind === "object") return undefined;
    const { address: start, size } = symbol.symbol;
    const end = size > 0n ? start + size : undefined;
    return { name: symbol.symbol.name, start, end, offset: symbol.offset, source: "symbol" };
  }

  /** The ELF symbol that holds `address`, data included. */
  symbolAt(address: bigint): SymbolHit | undefined {
    return this.symbols.at(address);
  }

  /** The source line of the instruction at `address`. */
  sourceAt(address: bigint): SourceLocation | undefined {
    const unit = this.scopes.unitAt(address);
    return unit && this.sources.locate(unit, address);
  }

  /** Paths of all source files that the debug information names. */
  sourceFiles(): string[] {
    return this.sources.paths();
  }

  /**
   * The file as debug information names it that an editor's `path` means: the same path, or a
   * relative one that it ends with. The lookups below take what this gives.
   */
  fileFor(path: string): string | undefined {
    return this.sources.match(path);
  }

  /** Lines of a file at which a breakpoint can stop, ascending. */
  linesOf(path: string): number[] {
    return [...new Set(this.sources.statementsOf(path).map((each) => each.line))];
  }

  /**
   * Where to stop for a line; it slides to the next line with code. Undefined where the file is
   * not known or has no code from that line on. At a function's first line: where its parameters
   * have their values.
   */
  addressesOf(path: string, line: number): LineAddresses | undefined {
    const statements = this.sources.statementsOf(path);
    const actual = statements.find((each) => each.line >= line)?.line;
    if (actual === undefined) return undefined;
    const first = new Map<unknown, bigint>();
    for (const { line: at, address } of statements) {
      if (at !== actual) continue;
      const owner = this.scopes.activeAt(address).at(-1)?.entry ?? this.symbolAt(address)?.symbol;
      const known = first.get(owner);
      if (known === undefined || address < known) first.set(owner, address);
    }
    const addresses = [...first.values()].map((address) => this.behindPrologue(address));
    return { line: actual, addresses: sortedUnique(addresses) };
  }

  /** Functions of that name: their own code and each place where one is inlined. */
  functionsNamed(name: string): FunctionPlace[] {
    const places = new Map<bigint, FunctionPlace>();
    for (const entry of this.scopes.functionsNamed(name)) {
      const address = this.attempt(() => entry.unit.entryPointOf(entry), undefined);
      const start = address ?? this.scopes.rangesOf(entry)[0]?.start;
      if (start === undefined) continue;
      places.set(start, this.place(name, start, entry.tag === Tag.inlinedSubroutine));
    }
    for (const symbol of this.symbols.named(name)) {
      if (symbol.kind === "object" || places.has(symbol.address)) continue;
      places.set(symbol.address, this.place(name, symbol.address, false));
    }
    return [...places.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  /**
   * The source frames of the machine frame at `pc`, innermost first; empty without debug
   * information. For a frame that made a call pass the return address minus one.
   */
  framesAt(pc: bigint): SourceFrame[] {
    const active = this.scopes.activeAt(pc);
    const concrete = active[0]?.entry;
    if (!concrete) return [];
    const scope = this.variableScope(pc, concrete);
    let location = this.sourceAt(pc);
    const frames: SourceFrame[] = [];
    for (const each of active.reverse()) {
      const isInlined = each.entry.tag === Tag.inlinedSubroutine;
      const variables = this.variablesOf(each, scope);
      frames.push({ name: each.entry.name ?? "", isInlined, location, variables });
      location = this.callSite(each.entry);
    }
    return frames;
  }

  /** Global and file-level variables of that name. */
  globalsNamed(name: string): readonly Variable[] {
    const known = this.globalsByName.get(name);
    if (known) return known;
    const scope = this.variableScope(0n, undefined);
    const variables = this.scopes
      .entriesNamed("variable", name)
      .filter(({ attributes }) => attributes.has(At.location) || attributes.has(At.constValue))
      .map((entry) => this.variable(entry, scope, false));
    this.globalsByName.set(name, variables);
    return variables;
  }

  /** All global and file-level variables. */
  globals(): Variable[] {
    return [...this.globalNames()].flatMap((name) => this.globalsNamed(name));
  }

  globalNames(): Iterable<string> {
    return this.scopes.names("variable");
  }

  enumeratorNames(): Iterable<string> {
    return this.scopes.names("enumerator");
  }

  /** The enumerator of that name in an enumeration at file level. */
  enumeratorNamed(name: string): NamedEnumerator | undefined {
    const parent = this.scopes.entriesNamed("enumerator", name)[0]?.parent;
    const type = parent && stripped(this.types.read(parent));
    if (type?.kind !== "enum") return undefined;
    const found = type.enumerators.find((each) => each.name === name);
    return found && { type, value: found.value };
  }

  /** A type by its name in C, e.g. "struct vmcb" or "u64"; rather complete than only declared. */
  typeNamed(name: string): Type | undefined {
    if (this.typesByName.has(name)) return this.typesByName.get(name);
    const entries = this.scopes.entriesNamed("type", name.replace(/^(?:struct|union|enum) /, ""));
    const types = entries.map((entry) => this.types.read(entry));
    const fits = types.filter((type) => typeName(type) === name);
    const best = fits.find((type) => sizeOf(type) !== undefined) ?? fits[0];
    this.typesByName.set(name, best);
    return best;
  }

  /** What the function of that name returns; undefined without one in the debug information. */
  returnTypeOf(name: string): Type | undefined {
    const entry = this.scopes.functionsNamed(name).find(({ tag }) => tag === Tag.subprogram);
    return entry && this.types.typeOf(entry);
  }

  /** Where a named type is declared, or a member of a struct or union. */
  declarationOf(type: Type, member?: string): SourceLocation | undefined {
    return this.attempt(() => this.declaration(this.types.entryOf(type, member)), undefined);
  }

  /** Where a function is declared, or where the code of a label of assembly begins. */
  functionDeclaration(name: string): SourceLocation | undefined {
    const [label] = this.symbols.named(name);
    const [entry] = this.scopes.functionsNamed(name);
    const declared = this.attempt(() => this.declaration(entry), undefined);
    return declared ?? (label && this.sourceAt(label.address));
  }

  typeNames(): Iterable<string> {
    return this.scopes.names("type");
  }

  /** The caller of the frame at `pc`, by call frame information. */
  unwind(pc: bigint, state: FrameState): Unwound {
    return this.callFrames().unwinder.unwind(pc, state);
  }

  private callFrames() {
    if (!this.frames) {
      const calls = new CallFrames(this.sections);
      this.frames = { calls, unwinder: new Unwinder(calls, this.registers, this.addressSize) };
    }
    return this.frames;
  }

  private variablesOf(active: ActiveFunction, scope: VariableScope): Variable[] {
    const entries = [...active.blocks].reverse().flatMap(variablesIn);
    entries.push(...variablesIn(active.entry));
    const seen = new Set<string>();
    const variables = entries.map((entry) => {
      const name = entry.name ?? "";
      const isShadowed = seen.has(name);
      seen.add(name);
      return this.variable(entry, scope, isShadowed);
    });
    const isParameter = (each: Variable) => each.kind === "parameter";
    return [...variables.filter(isParameter), ...variables.filter((each) => !isParameter(each))];
  }

  private variableScope(pc: bigint, concrete: Entry | undefined): VariableScope {
    const low = concrete && this.attempt(() => concrete.unit.entryPointOf(concrete), undefined);
    return {
      pc,
      function: concrete,
      body: low === undefined ? undefined : this.bodyOf(low),
      cfa: (state) => this.callFrames().unwinder.cfaAt(pc, state),
      entryValue: (register, state) =>
        concrete && this.callSites.valueAtEntry(register, pc, concrete, state),
      registerSize: (register) => this.registerSize(register),
    };
  }

  private variable(entry: Entry, scope: VariableScope, isShadowed: boolean): Variable {
    const { sources, types } = this;
    return makeVariable(entry, scope, types, isShadowed, (unit, file) =>
      sources.pathOf(unit, file),
    );
  }

  private registerSize(register: number): number | undefined {
    const name = this.registers.names[register] ?? "-";
    if (name.startsWith("xmm")) return 16;
    return name === "-" || /^(st|mm)\d/.test(name) ? undefined : this.addressSize;
  }

  private declaration(entry: Entry | undefined): SourceLocation | undefined {
    const owner = entry?.owner(At.declFile);
    const path = owner && this.sources.pathOf(owner.unit, asNumber(owner.get(At.declFile)));
    const line = entry?.declarationLine;
    return path === undefined || line === undefined ? undefined : { path, line, column: 0 };
  }

  private callSite(inlined: Entry): SourceLocation | undefined {
    const line = asNumber(inlined.get(At.callLine));
    const path = this.sources.pathOf(inlined.unit, asNumber(inlined.get(At.callFile)));
    if (path === undefined || line === undefined) return undefined;
    return { path, line, column: asNumber(inlined.get(At.callColumn)) ?? 0 };
  }

  private place(name: string, address: bigint, isInlined: boolean): FunctionPlace {
    const body = isInlined ? address : this.behindPrologue(address);
    return { name, address, body, isInlined, location: this.sourceAt(body) };
  }

  /** Where to stop for the code at `address`: behind the prologue if a function begins there. */
  private behindPrologue(address: bigint): bigint {
    const found = this.scopes.functionAt(address);
    return found && this.scopes.isOptimised(found.entry.unit) ? address : this.bodyOf(address);
  }

  /** The body of the C function that begins at `address`, else `address` itself. */
  private bodyOf(address: bigint): bigint {
    const found = this.scopes.functionAt(address);
    const range = found?.ranges.find(({ start }) => start === address);
    if (!found || !range || isAssembly(found.entry)) return address;
    const table = this.sources.tableOf(found.entry.unit);
    return table?.bodyOf(range.start, range.end) ?? address;
  }

  private attempt<T>(read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.ownProblems.push(error.message);
      return otherwise;
    }
  }
}

/** Whether an address is in a part of the file that is loaded: dropped functions are at 0. */
function loadedIn(elf: Elf): (address: bigint) => boolean {
  const loaded = elf.sections.filter((each) => each.flags & SHF_ALLOC && each.size > 0);
  if (loaded.length === 0) return () => true;
  return (at) => loaded.some((s) => s.address <= at && at < s.address + BigInt(s.size));
}

function isSkeleton(root: Entry): boolean {
  return root.attributes.has(At.dwoName) || root.attributes.has(At.gnuDwoName);
}

/** DW_LANG_Mips_Assembler, which gas uses: its functions have no prologue that compilers mark. */
function isAssembly(entry: Entry): boolean {
  return asNumber(entry.unit.root.get(At.language)) === 0x8001;
}

function sortedUnique(addresses: readonly bigint[]): bigint[] {
  return [...new Set(addresses)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
