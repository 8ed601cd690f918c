/** The fast tags of one vCPU: what generated code compares; a derived cache of the data TLB. */

import {
  bankIndex,
  FAST_TLB_ENTRY,
  FAST_TLB_OFFSET,
  PAGE_SIZE,
  RAM_BASE,
  TLB_BANKS,
  TLB_ENTRIES,
  TLB_NO_TAG,
} from "../state/memory-map.ts";

/** 32-bit words of an entry (state/memory-map.ts): two tags of two words, and the addend. */
const WORDS = FAST_TLB_ENTRY / 4;
const QUADS = FAST_TLB_ENTRY / 8;

/** Slots are numbered over all banks, as the entries of the data TLB are: bank * 1024 + index. */
export class FastTags {
  readonly #words: Int32Array;
  readonly #quads: BigInt64Array;

  constructor(memory: WebAssembly.Memory, cpuBase: number) {
    const bytes = TLB_BANKS * TLB_ENTRIES * FAST_TLB_ENTRY;
    this.#words = new Int32Array(memory.buffer, cpuBase + FAST_TLB_OFFSET, bytes / 4);
    this.#quads = new BigInt64Array(memory.buffer, cpuBase + FAST_TLB_OFFSET, bytes / 8);
    this.dropAll();
  }

  /** Lets generated code reach RAM frame `frame` at this linear page, for reads and writes. */
  set(slot: number, low: number, high: number, frame: number, read: boolean, write: boolean): void {
    const at = slot * WORDS;
    const page = low & -PAGE_SIZE;
    const none = Number(TLB_NO_TAG);
    this.#words[at] = read ? page : none;
    this.#words[at + 1] = read ? high : 0;
    this.#words[at + 2] = write ? page : none;
    this.#words[at + 3] = write ? high : 0;
    this.#words[at + 4] = RAM_BASE + frame * PAGE_SIZE - page;
  }

  drop(slot: number): void {
    const at = slot * QUADS;
    this.#quads[at] = TLB_NO_TAG;
    this.#quads[at + 1] = TLB_NO_TAG;
  }

  /** The slots of a linear page in every bank, whatever page they show. */
  dropPage(low: number): void {
    const index = bankIndex(low, TLB_ENTRIES);
    for (let bank = 0; bank < TLB_BANKS; bank++) this.drop(bank * TLB_ENTRIES + index);
  }

  /** Both banks of the host (0) or the guest (1). */
  dropWorld(world: number): void {
    const length = 2 * TLB_ENTRIES * QUADS;
    this.#quads.fill(TLB_NO_TAG, world * length, (world + 1) * length);
  }

  dropAll(): void {
    this.#quads.fill(TLB_NO_TAG);
  }
}
