/**
 * Decoded code by physical page: a slot table of one u32 a byte offset (address of the record, or 0)
 * for each page and code size, and the records, all in the code arena of linear memory.
 *
 * Derived from memory and never saved: dropping any of it changes speed alone.
 */
import { CODE_BASE, CODE_BYTES, PAGE_SIZE, PageReason } from "../state/memory-map.ts";
import type { PhysicalMemory } from "../vcpu.ts";
import type { CodeSize } from "./decoder.ts";
import { RECORD_BYTES } from "./instruction.ts";

const TABLE_BYTES = PAGE_SIZE * 4;
/** A page written this often keeps its table, and only the slots near a write are dropped. */
const OFTEN = 16;
/** Longest instruction, less one: how far before a write an instruction that it changes may start. */
const REACH = 14;

interface CodePage {
  /** Slot table of each code size that ran here. */
  readonly tables: Map<CodeSize, number>;
  drops: number;
}

export class CodePages {
  private readonly pages = new Map<number, CodePage>();
  private readonly words: Uint32Array;
  private readonly physical: PhysicalMemory;
  private next = CODE_BASE;
  /** Record for an instruction that is not kept (one that crosses a page). */
  readonly scratch: number;

  /** `onFlush` is told that every slot table and record is gone. */
  constructor(physical: PhysicalMemory, onFlush: () => void) {
    this.physical = physical;
    this.onFlush = onFlush;
    this.words = new Uint32Array(physical.memory.buffer);
    this.scratch = CODE_BASE;
    this.next = CODE_BASE + RECORD_BYTES;
  }
  private readonly onFlush: () => void;

  /** The slot table of the page that holds `address`, made if need be. */
  table(address: number, code: CodeSize): number {
    const number = Math.floor(address / PAGE_SIZE);
    let page = this.pages.get(number);
    const known = page?.tables.get(code);
    if (known !== undefined) {
      if ((this.physical.reasons(address) & PageReason.code) === 0) {
        this.physical.addReason(address, PageReason.code);
      }
      return known;
    }
    const at = this.allocate(TABLE_BYTES);
    page = this.pages.get(number);
    if (page === undefined) {
      page = { tables: new Map(), drops: 0 };
      this.pages.set(number, page);
    }
    page.tables.set(code, at);
    this.physical.addReason(address, PageReason.code);
    return at;
  }

  /** Room for a record. */
  record(): number {
    return this.allocate(RECORD_BYTES);
  }

  /** Bytes of a page changed: drops the instructions that they may be part of. */
  written(address: number, bytes: number): void {
    const page = this.pages.get(Math.floor(address / PAGE_SIZE));
    if (page === undefined) return;
    const offset = address % PAGE_SIZE;
    page.drops++;
    const whole = page.drops <= OFTEN;
    const from = whole ? 0 : Math.max(0, offset - REACH);
    const to = whole ? PAGE_SIZE : Math.min(PAGE_SIZE, offset + bytes);
    for (const table of page.tables.values()) {
      this.words.fill(0, table / 4 + from, table / 4 + to);
    }
    if (whole) this.physical.removeReason(address, PageReason.code);
  }

  /** Offsets in the page at which instructions were decoded to run, by code size; changes nothing. */
  starts(address: number): { readonly offset: number; readonly code: CodeSize }[] {
    const found: { offset: number; code: CodeSize }[] = [];
    for (const [code, table] of this.pages.get(Math.floor(address / PAGE_SIZE))?.tables ?? []) {
      for (let offset = 0; offset < PAGE_SIZE; offset++) {
        if (this.words[table / 4 + offset] !== 0) found.push({ offset, code });
      }
    }
    return found;
  }

  /** Drops the instructions at one offset of every page: breakpoints there changed. */
  dropOffset(offset: number): void {
    for (const page of this.pages.values()) {
      for (const table of page.tables.values()) this.words[table / 4 + offset] = 0;
    }
  }

  /** Drops everything: the arena is full. */
  flush(): void {
    for (const number of this.pages.keys()) {
      this.physical.removeReason(number * PAGE_SIZE, PageReason.code);
    }
    this.pages.clear();
    this.words.fill(0, CODE_BASE / 4, Math.ceil(this.next / 4));
    this.next = CODE_BASE + RECORD_BYTES;
    this.onFlush();
  }

  private allocate(bytes: number): number {
    if (this.next + bytes > CODE_BASE + CODE_BYTES) this.flush();
    const at = this.next;
    this.next += bytes;
    return at;
  }
}
