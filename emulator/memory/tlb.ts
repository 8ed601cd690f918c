/**
 * The architectural TLB of one vCPU, in linear memory: machine state, saved and hashed.
 *
 * It changes only when an access misses or lacks a right, and by the flushes of the architecture.
 * Replacement is direct-mapped and leaves no trace of hits, so fast tags, watchers and snapshots
 * cannot change it. Large pages are held as 4 KiB pieces that know the size of the guest's page.
 */

import {
  bankIndex,
  CODE_TLB_ENTRIES,
  CODE_TLB_OFFSET,
  DATA_TLB_OFFSET,
  TLB_BANKS,
  TLB_ENTRIES,
  TLB_ENTRY,
} from "../state/memory-map.ts";
import type { FastTags } from "./fast-tags.ts";
import { Rights } from "./paging-bits.ts";

/** 32-bit words of an entry. An empty entry is all zero. */
const WORDS = TLB_ENTRY / 4;
/** Linear address bits 31:12, and VALID. */
const TAG_LOW = 0;
/** Linear address bits 63:32. */
const TAG_HIGH = 1;
/** Host-physical page number. */
const FRAME = 2;
/** Rights (paging-bits.ts). */
const RIGHTS = 3;
/** 0 for the host. */
const ASID = 4;
/** log2 of the page size in the tables of the world that made the access. */
const PAGE_BITS = 5;

const VALID = 1;

const DATA_SLOTS = TLB_BANKS * TLB_ENTRIES;
const CODE_SLOTS = TLB_BANKS * CODE_TLB_ENTRIES;

/** Bytes from DATA_TLB_OFFSET that are machine state: data entries, then instruction entries. */
export const TLB_STATE_BYTES = (DATA_SLOTS + CODE_SLOTS) * TLB_ENTRY;

/** One entry, for display. */
export interface TlbEntry {
  readonly kind: "data" | "instruction";
  readonly bank: number;
  readonly linear: bigint;
  readonly frame: number;
  readonly rights: number;
  readonly asid: number;
  readonly pageBits: number;
}

/**
 * Slots 0 to 4095 are the data entries by bank (the same numbers as the fast tags), slots 4096 to
 * 5119 the instruction entries by bank. bank = (guest ? 2 : 0) + (user ? 1 : 0).
 */
export class Tlb {
  readonly #words: Int32Array;
  readonly #fast: FastTags;
  /** Largest page ever put in, by world: how far INVLPG must look. Derived, may be too large. */
  readonly #largest = [30, 30];

  constructor(memory: WebAssembly.Memory, cpuBase: number, fast: FastTags) {
    if (CODE_TLB_OFFSET !== DATA_TLB_OFFSET + DATA_SLOTS * TLB_ENTRY) throw new Error("TLB layout");
    this.#words = new Int32Array(memory.buffer, cpuBase + DATA_TLB_OFFSET, TLB_STATE_BYTES / 4);
    this.#fast = fast;
  }

  dataSlot(bank: number, low: number): number {
    return bank * TLB_ENTRIES + bankIndex(low, TLB_ENTRIES);
  }

  codeSlot(bank: number, low: number): number {
    return DATA_SLOTS + bank * CODE_TLB_ENTRIES + bankIndex(low, CODE_TLB_ENTRIES);
  }

  matches(slot: number, low: number, high: number, asid: number): boolean {
    const at = slot * WORDS;
    return (
      this.#words[at + TAG_LOW] === ((low & ~0xfff) | VALID) &&
      this.#words[at + TAG_HIGH] === high &&
      this.#words[at + ASID] === asid
    );
  }

  frame(slot: number): number {
    return this.#words[slot * WORDS + FRAME] as number;
  }

  rights(slot: number): number {
    return this.#words[slot * WORDS + RIGHTS] as number;
  }

  set(
    slot: number,
    low: number,
    high: number,
    frame: number,
    rights: number,
    asid: number,
    pageBits: number,
  ): void {
    const at = slot * WORDS;
    this.#words[at + TAG_LOW] = (low & ~0xfff) | VALID;
    this.#words[at + TAG_HIGH] = high;
    this.#words[at + FRAME] = frame;
    this.#words[at + RIGHTS] = rights;
    this.#words[at + ASID] = asid;
    this.#words[at + PAGE_BITS] = pageBits;
    const world = asid === 0 ? 0 : 1;
    if (pageBits > (this.#largest[world] as number)) this.#largest[world] = pageBits;
    if (slot < DATA_SLOTS) this.#fast.drop(slot);
  }

  /** Everything, of every ASID. */
  flushAll(): void {
    this.#words.fill(0);
    this.#fast.dropAll();
    this.#largest.fill(12);
  }

  /** All entries of an ASID (0: the host's), with or without the global ones. */
  flushAsid(asid: number, keepGlobal: boolean): void {
    const world = asid === 0 ? 0 : 1;
    this.#flushAsidIn(world * 2 * TLB_ENTRIES, 2 * TLB_ENTRIES, asid, keepGlobal);
    const code = DATA_SLOTS + world * 2 * CODE_TLB_ENTRIES;
    this.#flushAsidIn(code, 2 * CODE_TLB_ENTRIES, asid, keepGlobal);
  }

  #flushAsidIn(first: number, count: number, asid: number, keepGlobal: boolean): void {
    const words = this.#words;
    for (let slot = first; slot < first + count; slot++) {
      const at = slot * WORDS;
      if (words[at] === 0 || words[at + ASID] !== asid) continue;
      if (keepGlobal && ((words[at + RIGHTS] as number) & Rights.global) !== 0) continue;
      this.#remove(slot);
    }
  }

  /** INVLPG: every piece of the page that holds this address, global or not. */
  flushPage(low: number, high: number, asid: number): void {
    const world = asid === 0 ? 0 : 1;
    const pieces = 2 ** ((this.#largest[world] as number) - 12);
    for (let user = 0; user < 2; user++) {
      const bank = world * 2 + user;
      this.#flushPageIn(bank * TLB_ENTRIES, TLB_ENTRIES, pieces, low, high, asid);
      const code = DATA_SLOTS + bank * CODE_TLB_ENTRIES;
      this.#flushPageIn(code, CODE_TLB_ENTRIES, pieces, low, high, asid);
    }
  }

  #flushPageIn(
    first: number,
    entries: number,
    pieces: number,
    low: number,
    high: number,
    asid: number,
  ): void {
    const words = this.#words;
    const count = Math.min(entries, pieces);
    // The pieces of an aligned page fill an aligned part of the bank, in another order.
    const index = bankIndex(low, entries) & -count;
    for (let slot = first + index; slot < first + index + count; slot++) {
      const at = slot * WORDS;
      if (words[at] === 0 || words[at + TAG_HIGH] !== high || words[at + ASID] !== asid) continue;
      const difference = ((words[at] as number) ^ low) & ~0xfff;
      if (difference >>> (words[at + PAGE_BITS] as number) === 0) this.#remove(slot);
    }
  }

  #remove(slot: number): void {
    const at = slot * WORDS;
    for (let i = TAG_LOW; i <= PAGE_BITS; i++) this.#words[at + i] = 0;
    if (slot < DATA_SLOTS) this.#fast.drop(slot);
  }

  /** Drops the fast tags of every data entry on this host-physical page. */
  dropFastTagsOf(frame: number): void {
    const words = this.#words;
    for (let slot = 0; slot < DATA_SLOTS; slot++) {
      if (words[slot * WORDS + FRAME] === frame) this.#fast.drop(slot);
    }
  }

  /** The entries came back from a snapshot: forgets everything derived from others. */
  restored(): void {
    this.#fast.dropAll();
    this.#largest.fill(30);
  }

  /** Every entry, for display. */
  *entries(): Generator<TlbEntry> {
    for (let slot = 0; slot < DATA_SLOTS + CODE_SLOTS; slot++) {
      const [tag, high, frame, rights, asid, pageBits] = this.#words.subarray(
        slot * WORDS,
        slot * WORDS + WORDS,
      ) as unknown as [number, number, number, number, number, number];
      if (tag === 0) continue;
      const data = slot < DATA_SLOTS;
      yield {
        kind: data ? "data" : "instruction",
        bank: Math.floor(data ? slot / TLB_ENTRIES : (slot - DATA_SLOTS) / CODE_TLB_ENTRIES),
        linear: (BigInt(high >>> 0) << 32n) | BigInt((tag & ~0xfff) >>> 0),
        frame,
        rights,
        asid,
        pageBits,
      };
    }
  }
}
