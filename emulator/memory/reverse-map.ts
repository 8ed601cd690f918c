/** Reverse translation: every guest-physical and linear address whose tables lead to one byte. */

import { high32, low32 } from "./halves.ts";
import { type EntryMemory, hasReservedBits, isLeaf, PagingStage, Walk } from "./page-walk.ts";
import { Entry, PagingMode } from "./paging-bits.ts";
import type { NestedContext, PagingContext, TranslationRights } from "./translate.ts";

/** An address that reaches the byte. */
export interface ReverseMapping {
  readonly address: bigint;
  /** Of the page that maps it. */
  readonly pageSize: number;
  /** All levels of this stage combined. */
  readonly rights: TranslationRights;
}

export interface ReverseMappings {
  /** In the order of the tables. */
  readonly mappings: readonly ReverseMapping[];
  /** Why the search ended before it had seen all; undefined where it is whole. */
  readonly stoppedBy: "mappings" | "tables" | undefined;
  /** Pairs of table and level that were read. */
  readonly tables: number;
}

export interface ReverseLimits {
  readonly mappings: number;
  readonly tables: number;
}

/** Entries of a table, at its level, below which the byte lies. */
interface TableHits {
  readonly entries: readonly EntryHit[];
}

interface EntryHit {
  readonly index: number;
  readonly rights: TranslationRights;
  /** The next table, or the offsets of the byte in the page (several if several targets lie in it). */
  readonly below: TableHits | number[];
}

const HIGH = 4294967296;
const NOTHING: TableHits = { entries: [] };
const ALL: TranslationRights = { write: true, user: true, execute: true };
/** What a table's address in an entry may have, beside bits 31:12: bits 39:32. */
const ADDRESS_HIGH = 0xff;

/**
 * Searches tables depth first and each table once a level, so that tables shared by many entries
 * (or that map themselves) cost no more than their size. Presence and reserved bits decide, as for
 * the CPU; rights are reported. Reads only: no Accessed bit, no TLB entry.
 */
export class ReverseMap {
  readonly #memory: EntryMemory;
  readonly #limits: ReverseLimits;

  constructor(memory: EntryMemory, limits: ReverseLimits) {
    this.#memory = memory;
    this.#limits = limits;
  }

  /** Guest-physical addresses that nested tables translate to the host-physical one. */
  guestPhysical(physical: number, nested: NestedContext): ReverseMappings {
    const stage = this.#stage(nested.cr0, nested.cr4, nested.efer, nested.nestedCr3);
    return new Search(this.#memory, stage, [physical], this.#limits, false).run();
  }

  /**
   * Linear addresses that tables translate to one of the physical ones: host-physical, or
   * guest-physical where the tables themselves lie behind `nested`.
   */
  linear(
    targets: readonly number[],
    paging: PagingContext,
    nested?: NestedContext,
  ): ReverseMappings {
    const stage = this.#stage(paging.cr0, paging.cr4, paging.efer, paging.cr3);
    if (nested !== undefined) {
      const { cr0, cr4, efer, nestedCr3 } = nested;
      stage.second = this.#stage(cr0, cr4, efer, nestedCr3);
    } else if (paging.pdptes !== undefined) {
      const halves = paging.pdptes.flatMap((entry) => [low32(entry), high32(entry)]);
      stage.pdptes = new Int32Array(halves);
    }
    return new Search(this.#memory, stage, targets, this.#limits, true).run();
  }

  #stage(cr0: bigint, cr4: bigint, efer: bigint, cr3: bigint): PagingStage {
    const stage = new PagingStage(this.#memory);
    stage.configure(low32(cr0), low32(cr4), low32(efer), low32(cr3), high32(cr3));
    stage.update = false;
    stage.checkRights = false;
    return stage;
  }
}

class Search {
  readonly #memory: EntryMemory;
  readonly #stage: PagingStage;
  readonly #targets: Float64Array;
  readonly #limits: ReverseLimits;
  readonly #linear: boolean;
  /** Of each level: what is known of a table by its address. */
  readonly #known: Map<number, TableHits>[] = [];
  readonly #mappings: ReverseMapping[] = [];
  #stoppedBy: "mappings" | "tables" | undefined;
  #tables = 0;

  constructor(
    memory: EntryMemory,
    stage: PagingStage,
    targets: readonly number[],
    limits: ReverseLimits,
    linear: boolean,
  ) {
    this.#memory = memory;
    this.#linear = linear;
    this.#stage = stage;
    this.#targets = Float64Array.from(targets).sort();
    this.#limits = limits;
  }

  run(): ReverseMappings {
    const { mode, root } = this.#stage;
    if (mode === PagingMode.none) this.#identity();
    else this.#list(this.#table(mode, root), mode, 0n, ALL);
    return { mappings: this.#mappings, stoppedBy: this.#stoppedBy, tables: this.#tables };
  }

  /** Without paging an address stands for itself; a linear one has 32 bits then. */
  #identity(): void {
    for (const target of this.#targets) {
      if (this.#linear && target >= HIGH) continue;
      if (this.#full()) return;
      this.#mappings.push({ address: BigInt(target), pageSize: 4096, rights: ALL });
    }
  }

  #full(): boolean {
    if (this.#mappings.length < this.#limits.mappings) return false;
    this.#stoppedBy ??= "mappings";
    return true;
  }

  #table(level: number, address: number): TableHits {
    let known = this.#known[level];
    if (known === undefined) {
      known = new Map();
      this.#known[level] = known;
    }
    const before = known.get(address);
    if (before !== undefined) return before;
    if (this.#tables >= this.#limits.tables) {
      this.#stoppedBy ??= "tables";
      return NOTHING;
    }
    this.#tables++;
    const hits = this.#search(level, address);
    known.set(address, hits);
    return hits;
  }

  #search(level: number, address: number): TableHits {
    const { mode, pdptes } = this.#stage;
    const inRegisters = mode === PagingMode.pae && level === 3 && pdptes !== null;
    const bytes = mode === PagingMode.legacy ? 4 : 8;
    const count =
      mode === PagingMode.legacy ? 1024 : mode === PagingMode.pae && level === 3 ? 4 : 512;
    const at = inRegisters ? address : this.#hostPhysical(address);
    if (at === undefined) return NOTHING;
    const entries: EntryHit[] = [];
    for (let index = 0; index < count; index++) {
      const place = at + index * bytes;
      const low = inRegisters ? (pdptes[index * 2] as number) : this.#memory.entryLow(place);
      if ((low & Entry.present) === 0) continue;
      const high = inRegisters
        ? (pdptes[index * 2 + 1] as number)
        : bytes === 4
          ? 0
          : this.#memory.entryHigh(place);
      const hit = this.#entry(level, index, low, high);
      if (hit !== undefined) entries.push(hit);
    }
    return entries.length === 0 ? NOTHING : { entries };
  }

  #entry(level: number, index: number, low: number, high: number): EntryHit | undefined {
    const { mode, noExecuteEnabled, pageSizeExtensions } = this.#stage;
    const leaf = isLeaf(mode, pageSizeExtensions, level, low);
    if (hasReservedBits(mode, noExecuteEnabled, level, leaf, low, high)) return undefined;
    const free = mode === PagingMode.pae && level === 3;
    const rights = free
      ? ALL
      : {
          write: (low & Entry.writable) !== 0,
          user: (low & Entry.user) !== 0,
          execute: high >= 0,
        };
    const address = ((low & ~0xfff) >>> 0) + (high & ADDRESS_HIGH) * HIGH;
    if (!leaf) {
      const below = this.#table(level - 1, address);
      return below.entries.length === 0 ? undefined : { index, rights, below };
    }
    const size = this.#span(level);
    const large = mode === PagingMode.legacy && level === 2;
    const base = large
      ? ((low & ~0x3f_ffff) >>> 0) + ((low >>> 13) & ADDRESS_HIGH) * HIGH
      : address - (address % size);
    const below = this.#inPage(base, size);
    return below.length === 0 ? undefined : { index, rights, below };
  }

  /** Offsets in the page of the targets that lie in it. */
  #inPage(base: number, size: number): number[] {
    const targets = this.#targets;
    let first = 0;
    for (let end = targets.length; first < end; ) {
      const middle = (first + end) >>> 1;
      if ((targets[middle] as number) < base) first = middle + 1;
      else end = middle;
    }
    const offsets: number[] = [];
    for (; first < targets.length && (targets[first] as number) < base + size; first++) {
      offsets.push((targets[first] as number) - base);
    }
    return offsets;
  }

  /** Bytes that an entry of this level stands for. */
  #span(level: number): number {
    const bits = this.#stage.mode === PagingMode.legacy ? 2 + level * 10 : 3 + level * 9;
    return 2 ** bits;
  }

  /** Where a table of this stage lies in the machine. */
  #hostPhysical(address: number): number | undefined {
    const { second } = this.#stage;
    if (second === null) return address;
    const outcome = second.walk(address | 0, (address / HIGH) | 0, 0);
    return outcome === Walk.done ? second.physical : undefined;
  }

  #list(table: TableHits, level: number, from: bigint, above: TranslationRights): void {
    const span = this.#span(level);
    for (const { index, rights, below } of table.entries) {
      if (this.#full()) return;
      const start = from + BigInt(index) * BigInt(span);
      const combined = {
        write: above.write && rights.write,
        user: above.user && rights.user,
        execute: above.execute && rights.execute,
      };
      if (!Array.isArray(below)) {
        this.#list(below, level - 1, start, combined);
        continue;
      }
      for (const offset of below) {
        if (this.#full()) return;
        const address = this.#canonical(start + BigInt(offset));
        this.#mappings.push({ address, pageSize: span, rights: combined });
      }
    }
  }

  /** Linear addresses of four levels are sign-extended; guest-physical ones are not. */
  #canonical(address: bigint): bigint {
    if (!this.#linear || this.#stage.mode !== PagingMode.long) return address;
    return BigInt.asUintN(64, BigInt.asIntN(48, address));
  }
}
