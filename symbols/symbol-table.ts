// Finds ELF symbols by address and by name.
import type { ElfSymbol } from "./elf.ts";

export interface SymbolHit {
  readonly symbol: ElfSymbol;
  readonly offset: bigint;
}

const UNDEFINED = 0;
const ABSOLUTE = 0xfff1;

/**
 * Symbols that stand for code or data, sorted by address. Sections, files, thread-local offsets,
 * undefined and empty names are left out; absolute ones are found by name only.
 */
export class SymbolTable {
  private readonly sorted: readonly ElfSymbol[];
  /** The greatest end of any sized symbol at or before each index: how far back a search may go. */
  private readonly reach: readonly bigint[];
  private readonly byName = new Map<string, ElfSymbol[]>();

  constructor(symbols: readonly ElfSymbol[]) {
    const named = symbols.filter(isNamedPlace);
    for (const symbol of named) {
      const same = this.byName.get(symbol.name);
      if (same) same.push(symbol);
      else this.byName.set(symbol.name, [symbol]);
    }
    this.sorted = named.filter((symbol) => symbol.section !== ABSOLUTE).sort(byAddressThenRank);
    let furthest = 0n;
    this.reach = this.sorted.map((symbol) => {
      const end = symbol.address + symbol.size;
      if (end > furthest) furthest = end;
      return furthest;
    });
  }

  /**
   * The symbol that holds `address`: the innermost sized one, otherwise the nearest unsized one
   * before it (labels of hand-written assembly have no size). An unsized label inside a sized
   * symbol does not hide it.
   */
  at(address: bigint): SymbolHit | undefined {
    const last = this.lastAtOrBefore(address);
    for (let i = last; i >= 0 && this.reach[i]! > address; i--) {
      const symbol = this.sorted[i]!;
      if (symbol.size > 0n && address < symbol.address + symbol.size) {
        return { symbol, offset: address - symbol.address };
      }
    }
    const near = this.sorted[last];
    if (!near || near.size > 0n) return undefined;
    return { symbol: near, offset: address - near.address };
  }

  /** All symbols of that name; local ones may share it. */
  named(name: string): readonly ElfSymbol[] {
    return this.byName.get(name) ?? [];
  }

  names(): IterableIterator<string> {
    return this.byName.keys();
  }

  private lastAtOrBefore(address: bigint): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function isNamedPlace(symbol: ElfSymbol): boolean {
  if (symbol.name === "" || symbol.section === UNDEFINED) return false;
  return symbol.kind === "none" || symbol.kind === "object" || symbol.kind === "function";
}

function byAddressThenRank(a: ElfSymbol, b: ElfSymbol): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.size !== b.size && a.size > 0n && b.size > 0n) return a.size > b.size ? -1 : 1;
  return rank(a) - rank(b);
}

/** Higher is the better name for an address: functions, then data, then labels; global first. */
function rank(symbol: ElfSymbol): number {
  const kind = symbol.kind === "function" ? 4 : symbol.kind === "object" ? 2 : 0;
  return kind + (symbol.binding === "local" ? 0 : 1) + (symbol.size > 0n ? 8 : 0);
}
