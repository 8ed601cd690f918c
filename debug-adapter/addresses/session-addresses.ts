/** What a session remembers of addresses: numbers of spaces, and what the client has read. */

import { hex, parseInteger } from "../text.ts";
import type { MemoryReference, SpaceKind, SpaceName } from "./memory-reference.ts";
import { formatReference, formatSpace, parseReference } from "./memory-reference.ts";

/** Last digit of a space's number. */
const KIND_DIGITS: Readonly<Record<SpaceKind, number>> = { hva: 1, gva: 2, gpa: 3, hpa: 4 };
/** Rows may lie a little below 0 and above 2^64: four bits keep spaces apart. */
const NUMBER_SHIFT = 68n;
const MASK = (1n << 64n) - 1n;
/** References that are refreshed at a stop. */
const MAX_READ_REFERENCES = 16;

/**
 * Disassembled rows are known to clients by a plain number, and several spaces share one list of
 * them: so each space has a range of its own, 0x<number>0<16 digits of the address>. Numbers stay
 * the same for the session.
 */
export class SessionAddresses {
  private readonly numbers = new Map<string, bigint>();
  private readonly spaces = new Map<bigint, SpaceName>();
  private readonly counts = new Map<SpaceKind, number>();
  private readonly reads = new Map<string, number>();
  private readonly noted = new Set<string>();

  /** A resolved space's number: its kind's digit, and before it which of that kind it is. */
  numberOf(space: SpaceName): bigint {
    const name = formatSpace(space);
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const count = this.counts.get(space.kind) ?? 0;
    this.counts.set(space.kind, count + 1);
    const number = BigInt(count * 16 + KIND_DIGITS[space.kind]);
    this.numbers.set(name, number);
    this.spaces.set(number, space);
    return number;
  }

  /** The row's number; `address` may lie outside of 64 bits. */
  rowAddress(space: SpaceName, address: bigint): string {
    return hex((this.numberOf(space) << NUMBER_SHIFT) + address);
  }

  /** A reference as the client may give it: by the grammar, or a row's number. Throws a UserError. */
  parse(text: string, otherwise: SpaceKind): MemoryReference {
    return this.ofRow(text) ?? parseReference(text, otherwise);
  }

  /** A row's number as a reference of the grammar; any other text as it is. */
  spelled(text: string): string {
    const row = this.ofRow(text);
    return row === undefined ? text : formatReference(row);
  }

  private ofRow(text: string): MemoryReference | undefined {
    const number = parseInteger(text) ?? 0n;
    const space = this.spaces.get(number >> NUMBER_SHIFT);
    if (space === undefined || ((number >> 64n) & 15n) !== 0n) return undefined;
    return { space, address: number & MASK };
  }

  /** The client has read memory up to `end` bytes behind this reference. */
  noteRead(reference: string, end: number): void {
    const before = this.reads.get(reference) ?? 0;
    this.reads.delete(reference);
    this.reads.set(reference, Math.max(before, end));
    const [oldest] = this.reads.keys();
    if (this.reads.size > MAX_READ_REFERENCES && oldest !== undefined) this.reads.delete(oldest);
  }

  /** What was read since the last call: a client that still shows it will read again. */
  takeReads(): { memoryReference: string; offset: number; count: number }[] {
    const all = [...this.reads].map(([memoryReference, count]) => ({
      memoryReference,
      offset: 0,
      count,
    }));
    this.reads.clear();
    return all;
  }

  /** True the first time. */
  isNews(note: string): boolean {
    if (this.noted.has(note)) return false;
    this.noted.add(note);
    return true;
  }
}
