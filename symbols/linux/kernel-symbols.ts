/** A Linux kernel's symbols as the debugger asks for them: its own tables, types and unwinding. */
import type { FunctionHit, FunctionPlace, ImageSymbols, SourceFrame } from "../image-symbols.ts";
import type { FrameState } from "../location.ts";
import { REGISTERS } from "../registers.ts";
import type { Type } from "../types.ts";
import type { Unwound } from "../unwind.ts";
import type { Btf } from "./btf.ts";
import { parametersAtEntry } from "./entry-parameters.ts";
import type { OrcUnwinder } from "./orc.ts";
import type { SymbolList } from "./symbol-list.ts";
import { callerOfThunk } from "./thunks.ts";

/** What a kernel's memory gave; addresses are link addresses. */
export interface KernelTables {
  readonly symbols: SymbolList;
  readonly buildId?: string | undefined;
  /** Read when first asked for. */
  readonly types?: (() => Btf | undefined) | undefined;
  readonly unwinder?: (() => OrcUnwinder | undefined) | undefined;
}

export class KernelSymbols implements ImageSymbols {
  readonly registers = REGISTERS.x86_64;
  readonly problems: readonly string[] = [];
  readonly hasDebugInfo = false;
  readonly symbols: SymbolList;
  readonly buildId: string | undefined;
  private readonly tables: KernelTables;

  constructor(tables: KernelTables) {
    this.tables = tables;
    this.symbols = tables.symbols;
    this.buildId = tables.buildId;
  }

  /** The types that the kernel carries. */
  get types(): Btf | undefined {
    return this.tables.types?.();
  }

  functionAt(address: bigint): FunctionHit | undefined {
    const hit = this.symbols.at(address);
    if (hit?.symbol.kind !== "function") return undefined;
    const { name, address: start, size } = hit.symbol;
    const end = size > 0n ? start + size : undefined;
    return { name, start, end, offset: hit.offset, source: "symbol" };
  }

  symbolAt(address: bigint) {
    return this.symbols.at(address);
  }

  functionsNamed(name: string): FunctionPlace[] {
    const found = this.symbols.named(name).filter((each) => each.kind === "function");
    return found.map(({ address }) => ({
      name,
      address,
      body: address,
      isInlined: false,
      location: undefined,
    }));
  }

  /** Only where a function begins: there its parameters are in the registers that the call set. */
  framesAt(pc: bigint): SourceFrame[] {
    const hit = this.functionAt(pc);
    const variables = hit && parametersAtEntry(this.types, hit);
    if (hit === undefined || variables === undefined) return [];
    return [{ name: hit.name, isInlined: false, location: undefined, variables }];
  }

  typeNamed(name: string): Type | undefined {
    return this.types?.named(name);
  }

  typeNames(): Iterable<string> {
    return this.types?.untaggedNames() ?? [];
  }

  unwind(pc: bigint, state: FrameState): Unwound {
    const unwound =
      callerOfThunk(this.symbols, pc, state) ?? this.tables.unwinder?.()?.unwind(pc, state);
    return unwound ?? { kind: "unavailable", reason: "this kernel carries no unwind tables" };
  }

  // A kernel in memory knows no source.
  sourceAt() {
    return undefined;
  }

  sourceFiles(): string[] {
    return [];
  }

  fileFor() {
    return undefined;
  }

  linesOf(): number[] {
    return [];
  }

  addressesOf() {
    return undefined;
  }

  globalsNamed() {
    return [];
  }
}
