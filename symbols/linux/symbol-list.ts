/** A kernel's symbols in order of address, as kallsyms and System.map have them: no sizes. */
import type { ElfSymbol } from "../elf.ts";
import type { SymbolHit, SymbolTable } from "../symbol-table.ts";

/** The kernel's image lies in the topmost 2 GiB (Documentation/arch/x86/x86_64/mm.rst). */
export const KERNEL_START = 0xffffffff_80000000n;
const ABSOLUTE = 0xfff1;
const SOME_SECTION = 1;

export interface SymbolColumns {
  /** Ascending; those below the kernel's image are absolute: offsets of per-CPU variables. */
  readonly addresses: BigUint64Array;
  readonly names: readonly string[];
  /** One letter a symbol as nm has them: T text, D data, B zeroed, R read-only, A absolute, W weak. */
  readonly types: string;
}

export class SymbolList implements Pick<SymbolTable, "at" | "named" | "names"> {
  private readonly columns: SymbolColumns;
  /** Index of the first symbol that is not absolute. */
  private readonly first: number;
  private indices: Map<string, number[]> | undefined;

  constructor(columns: SymbolColumns) {
    this.columns = columns;
    this.first = this.after(KERNEL_START - 1n);
  }

  get count(): number {
    return this.columns.names.length;
  }

  /** The symbol that holds `address`; of several at one place the kernel's own choice, the first. */
  at(address: bigint): SymbolHit | undefined {
    const { addresses } = this.columns;
    let i = this.after(address) - 1;
    if (i < this.first) return undefined;
    while (i > this.first && addresses[i - 1] === addresses[i]) i--;
    const symbol = this.symbol(i);
    return { symbol, offset: address - symbol.address };
  }

  named(name: string): readonly ElfSymbol[] {
    return (this.index().get(name) ?? []).map((i) => this.symbol(i));
  }

  names(): IterableIterator<string> {
    return this.index().keys();
  }

  /** The address of the first symbol of that name. */
  address(name: string): bigint | undefined {
    const [i] = this.index().get(name) ?? [];
    return i === undefined ? undefined : this.columns.addresses[i];
  }

  /** All symbols in order, each with nm's letter. */
  *lines(): IterableIterator<{ address: bigint; letter: string; name: string }> {
    const { addresses, names, types } = this.columns;
    for (const [i, name] of names.entries()) {
      yield { address: addresses[i]!, letter: types.charAt(i), name };
    }
  }

  private index(): Map<string, number[]> {
    if (this.indices) return this.indices;
    this.indices = new Map();
    for (const [i, name] of this.columns.names.entries()) {
      const same = this.indices.get(name);
      if (same) same.push(i);
      else this.indices.set(name, [i]);
    }
    return this.indices;
  }

  /** Index of the first symbol above `address`. */
  private after(address: bigint): number {
    const { addresses } = this.columns;
    let [low, high] = [0, addresses.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private symbol(i: number): ElfSymbol {
    const { addresses, names, types } = this.columns;
    const address = addresses[i]!;
    const letter = types.charAt(i);
    const isAbsolute = i < this.first;
    return {
      name: names[i]!,
      address,
      size: isAbsolute ? 0n : (addresses[this.after(address)] ?? address) - address,
      kind: kindOf(letter),
      binding: bindingOf(letter),
      section: isAbsolute ? ABSOLUTE : SOME_SECTION,
    };
  }
}

function kindOf(letter: string): ElfSymbol["kind"] {
  if (/[tTwW]/.test(letter)) return "function";
  return /[aA]/.test(letter) ? "none" : "object";
}

function bindingOf(letter: string): ElfSymbol["binding"] {
  if (/[wWvV]/.test(letter)) return "weak";
  return letter === letter.toUpperCase() ? "global" : "local";
}
