/** The symbols of a program that runs at other addresses than those it was linked at. */
import type { ElfSymbol } from "./elf.ts";
import type { FunctionHit, FunctionPlace, ImageSymbols, SourceFrame } from "./image-symbols.ts";
import type { FrameState } from "./location.ts";
import type { SymbolHit } from "./symbol-table.ts";
import type { Type } from "./types.ts";
import type { Variable } from "./variable.ts";

const ABSOLUTE = 0xfff1;

/** The same program `slide` bytes further up: everything is asked and answered in run addresses. */
export function movedBy(symbols: ImageSymbols, slide: bigint): ImageSymbols {
  return slide === 0n ? symbols : new MovedSymbols(symbols, slide);
}

/** The state of a frame for a program that runs `slide` bytes above its link addresses. */
function movedState(state: FrameState, slide: bigint): FrameState {
  return {
    register: (number) => state.register(number),
    readMemory: (address, length) => state.readMemory(address, length),
    cfa: state.cfa,
    slide,
  };
}

class MovedSymbols implements ImageSymbols {
  private readonly linked: ImageSymbols;
  private readonly slide: bigint;
  readonly symbols: ImageSymbols["symbols"];

  constructor(linked: ImageSymbols, slide: bigint) {
    this.linked = linked;
    this.slide = slide;
    const { symbols } = linked;
    this.symbols = {
      at: (address) => this.hit(symbols.at(this.link(address))),
      named: (name) => symbols.named(name).map((each) => this.symbol(each)),
      names: () => symbols.names(),
    };
  }

  get registers() {
    return this.linked.registers;
  }

  get buildId() {
    return this.linked.buildId;
  }

  get problems() {
    return this.linked.problems;
  }

  get hasDebugInfo() {
    return this.linked.hasDebugInfo;
  }

  functionAt(address: bigint): FunctionHit | undefined {
    const found = this.linked.functionAt(this.link(address));
    if (found === undefined) return undefined;
    const end = found.end === undefined ? undefined : this.run(found.end);
    return { ...found, start: this.run(found.start), end };
  }

  symbolAt(address: bigint): SymbolHit | undefined {
    return this.hit(this.linked.symbolAt(this.link(address)));
  }

  sourceAt(address: bigint) {
    return this.linked.sourceAt(this.link(address));
  }

  sourceFiles() {
    return this.linked.sourceFiles();
  }

  fileFor(path: string) {
    return this.linked.fileFor(path);
  }

  linesOf(path: string) {
    return this.linked.linesOf(path);
  }

  addressesOf(path: string, line: number) {
    const found = this.linked.addressesOf(path, line);
    return found && { ...found, addresses: found.addresses.map((each) => this.run(each)) };
  }

  functionsNamed(name: string): FunctionPlace[] {
    return this.linked.functionsNamed(name).map((place) => ({
      ...place,
      address: this.run(place.address),
      body: this.run(place.body),
    }));
  }

  framesAt(pc: bigint): SourceFrame[] {
    return this.linked.framesAt(this.link(pc)).map((frame) => ({
      ...frame,
      variables: frame.variables.map((each) => this.variable(each)),
    }));
  }

  globalsNamed(name: string): readonly Variable[] {
    return this.linked.globalsNamed(name).map((each) => this.variable(each));
  }

  returnTypeOf(name: string) {
    return this.linked.returnTypeOf?.(name);
  }

  typeNamed(name: string) {
    return this.linked.typeNamed(name);
  }

  declarationOf(type: Type, member?: string) {
    return this.linked.declarationOf?.(type, member);
  }

  functionDeclaration(name: string) {
    return this.linked.functionDeclaration?.(name);
  }

  enumeratorNamed(name: string) {
    return this.linked.enumeratorNamed?.(name);
  }

  globalNames() {
    return this.linked.globalNames?.() ?? [];
  }

  enumeratorNames() {
    return this.linked.enumeratorNames?.() ?? [];
  }

  typeNames() {
    return this.linked.typeNames?.() ?? [];
  }

  unwind(pc: bigint, state: FrameState) {
    return this.linked.unwind(this.link(pc), movedState(state, this.slide));
  }

  private link(address: bigint): bigint {
    return BigInt.asUintN(64, address - this.slide);
  }

  private run(address: bigint): bigint {
    return BigInt.asUintN(64, address + this.slide);
  }

  /** An absolute symbol is a number, e.g. a per-CPU offset: it stays. */
  private symbol(symbol: ElfSymbol): ElfSymbol {
    if (symbol.section === ABSOLUTE) return symbol;
    return { ...symbol, address: this.run(symbol.address) };
  }

  private hit(hit: SymbolHit | undefined): SymbolHit | undefined {
    return hit && { symbol: this.symbol(hit.symbol), offset: hit.offset };
  }

  private variable(variable: Variable): Variable {
    const { slide } = this;
    return {
      name: variable.name,
      kind: variable.kind,
      get type() {
        return variable.type;
      },
      line: variable.line,
      get declaredIn() {
        return variable.declaredIn;
      },
      file: variable.file,
      isShadowed: variable.isShadowed,
      locate: (state) => variable.locate(movedState(state, slide)),
    };
  }
}
