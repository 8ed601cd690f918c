/**
 * Which RAM pages changed since when: the memory part of snapshots and of the state hash, paid for
 * by the first write to a page after either.
 */
import type { MachineMemory } from "./memory/physical-memory.ts";
import { PAGE_SIZE, PageReason, RAM_BASE } from "./state/memory-map.ts";

/** RAM at one instant: the pages that changed since the parent. */
export class PageSet {
  parent: PageSet | undefined;
  readonly pages: Map<number, Uint8Array>;
  readonly depth: number;
  readonly children = new Set<PageSet>();
  isForgotten = false;

  constructor(parent: PageSet | undefined, pages: Map<number, Uint8Array>) {
    this.parent = parent;
    this.pages = pages;
    this.depth = (parent?.depth ?? 0) + 1;
    parent?.children.add(this);
  }

  get bytes(): number {
    return this.pages.size * PAGE_SIZE;
  }

  /** Goes out of the tree; its children take over what they do not have themselves. */
  leave(): void {
    this.parent?.children.delete(this);
    for (const child of this.children) {
      for (const [page, bytes] of this.pages) {
        if (!child.pages.has(page)) child.pages.set(page, bytes);
      }
      child.parent = this.parent;
      this.parent?.children.add(child);
    }
  }
}

/** Two 32-bit multiplicative hashes over the words of a page, as one bigint; 0 for a page of zeros. */
function hashWords(words: Uint32Array): bigint {
  let a = 0;
  let b = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    if (word === 0) continue;
    a = (Math.imul(a ^ word, 0x85eb_ca6b) + i) | 0;
    a ^= a >>> 15;
    b = (Math.imul(b ^ i, 0xc2b2_ae35) + word) | 0;
    b = Math.imul(b ^ (b >>> 13), 0x27d4_eb2f);
  }
  return (BigInt(a >>> 0) << 32n) | BigInt(b >>> 0);
}

const MIX = 0x9e37_79b9_7f4a_7c15n;

export class PageHistory {
  constructor(memory: MachineMemory) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory.memory.buffer);
    memory.onFirstWrite = (page) => {
      this.written.add(page);
      this.unhashed.add(page);
    };
    memory.addReasonToAll(PageReason.clean);
  }
  private readonly memory: MachineMemory;
  private readonly bytes: Uint8Array;
  /** Pages written since `base`. */
  private readonly written = new Set<number>();
  private readonly unhashed = new Set<number>();
  private readonly hashes = new Map<number, bigint>();
  private sum = 0n;
  private base = new PageSet(undefined, new Map());

  /** RAM as it is now. */
  take(): PageSet {
    const pages = new Map<number, Uint8Array>();
    for (const page of this.written) {
      pages.set(page, this.page(page).slice());
      this.memory.addReason(page * PAGE_SIZE, PageReason.clean);
    }
    this.written.clear();
    return this.moveTo(new PageSet(this.base, pages));
  }

  /** Puts RAM back; every page that differs is written through the machine's memory. */
  restore(to: PageSet): void {
    const changed = new Set([...this.written, ...pagesBetween(this.base, to)]);
    for (const [page, bytes] of pagesOf(to, changed)) {
      this.memory.poke(page * PAGE_SIZE, bytes);
      this.memory.addReason(page * PAGE_SIZE, PageReason.clean);
    }
    this.written.clear();
    this.moveTo(to);
  }

  /** It is not restored any more. */
  forget(set: PageSet): void {
    if (set === this.base) set.isForgotten = true;
    else set.leave();
  }

  /** What is written is relative to the base, so a forgotten one stays until the base is another. */
  private moveTo(base: PageSet): PageSet {
    const left = this.base;
    this.base = base;
    if (left.isForgotten && left !== base) left.leave();
    return base;
  }

  /** Hash of all of RAM. */
  hash(): bigint {
    for (const page of this.unhashed) {
      const at = RAM_BASE + page * PAGE_SIZE;
      const own = hashWords(new Uint32Array(this.memory.memory.buffer, at, PAGE_SIZE / 4));
      const placed = own === 0n ? 0n : (own ^ (BigInt(page + 1) * MIX)) * MIX;
      this.sum = BigInt.asUintN(64, this.sum + placed - (this.hashes.get(page) ?? 0n));
      this.hashes.set(page, placed);
      this.memory.addReason(page * PAGE_SIZE, PageReason.clean);
    }
    this.unhashed.clear();
    return this.sum;
  }

  private page(number: number): Uint8Array {
    const at = RAM_BASE + number * PAGE_SIZE;
    return this.bytes.subarray(at, at + PAGE_SIZE);
  }
}

const ZEROS = new Uint8Array(PAGE_SIZE);

/** Pages that may differ between two sets: those on the ways to the one that both come from. */
export function pagesBetween(a: PageSet, b: PageSet): Set<number> {
  const pages = new Set<number>();
  let from: PageSet | undefined = a;
  let target: PageSet | undefined = b;
  while (from !== target) {
    const back: boolean = from !== undefined && from.depth >= (target?.depth ?? 0);
    const step: PageSet | undefined = back ? from : target;
    for (const page of step?.pages.keys() ?? []) pages.add(page);
    if (back) from = from?.parent;
    else target = target?.parent;
  }
  return pages;
}

/** Pages whose bytes differ between two sets, ascending. */
export function differingPages(a: PageSet, b: PageSet): number[] {
  const candidates = pagesBetween(a, b);
  const others = new Map(pagesOf(b, candidates));
  const differing: number[] = [];
  for (const [page, bytes] of pagesOf(a, candidates)) {
    if (!areEqual(bytes, others.get(page) ?? ZEROS)) differing.push(page);
  }
  return differing.sort((x, y) => x - y);
}

/** A loop, not a method with a function: there may be tens of thousands of pages. */
function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  for (let i = 0; i < PAGE_SIZE; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Pages of RAM at the instant of a set, found on one way to the root however many sets there are. */
function* pagesOf(set: PageSet, pages: Iterable<number>): Generator<[number, Uint8Array]> {
  const left = new Set(pages);
  for (let at: PageSet | undefined = set; at !== undefined && left.size > 0; at = at.parent) {
    for (const page of at.pages.size < left.size ? at.pages.keys() : left) {
      const bytes = left.has(page) ? at.pages.get(page) : undefined;
      if (bytes === undefined) continue;
      left.delete(page);
      yield [page, bytes];
    }
  }
  for (const page of left) yield [page, ZEROS];
}

/** A page of RAM at the instant of a set; undefined if it is zeros. */
export function pageOf(set: PageSet, page: number): Uint8Array | undefined {
  for (let at: PageSet | undefined = set; at !== undefined; at = at.parent) {
    const found = at.pages.get(page);
    if (found !== undefined) return found;
  }
  return undefined;
}
