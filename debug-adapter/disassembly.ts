/** Disassembles an exact number of rows before and after an address; windows that overlap agree. */

import type { SourceLocation } from "../symbols/source-index.ts";
import type { MemoryReference } from "./addresses/memory-reference.ts";
import { worldOf } from "./addresses/translation.ts";
import { CodePageView, type CodeRow } from "./code-page.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Disassembler } from "./services.ts";

export interface DisassembledRow {
  /** Below 0 or from 2^64 on where rows were asked for that cannot be. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Of the function that begins here. */
  readonly symbol: string | undefined;
  /** Of a direct branch or call. */
  readonly target: string | undefined;
  readonly location: SourceLocation | undefined;
  readonly isValid: boolean;
}

const PAGE_BITS = 12n;
const LAST_PAGE = (1n << 52n) - 1n;
const NO_BYTES = new Uint8Array(0);

/** `skip` rows from the reference on (or back, if negative), `count` rows of them. */
export function disassemble(
  debuggee: Debuggee,
  disassembler: Disassembler,
  reference: MemoryReference,
  skip: number,
  count: number,
): DisassembledRow[] {
  const { images } = debuggee;
  const { kind } = reference.space;
  const world = worldOf(reference.space);
  return codeRows(debuggee, disassembler, reference, skip, count).map((row) => {
    const { address, bytes, text, isValid, target } = row;
    // Symbols have linear addresses.
    const isLinear = (kind === "hva" || kind === "gva") && address >= 0n && address < 1n << 64n;
    const name = isLinear ? images.nameOf(world, address) : undefined;
    return {
      address,
      bytes,
      text,
      symbol: name?.includes("+0x") ? undefined : name,
      target: isLinear && target !== undefined ? images.nameOf(world, target) : undefined,
      location: isLinear ? images.sourceAt(world, address) : undefined,
      isValid,
    };
  });
}

/**
 * The rows of whole pages are laid end to end, and counted from the reference's row: what the rows
 * of a page are depends on its bytes and on what is known of its code, not on what was asked for.
 */
function codeRows(
  debuggee: Debuggee,
  disassembler: Disassembler,
  reference: MemoryReference,
  skip: number,
  count: number,
): CodeRow[] {
  const view = new CodePageView(debuggee, disassembler, reference);
  const home = reference.address >> PAGE_BITS;
  const rows = [...view.rows(home)];
  let index = rows.findIndex(({ address }) => address === reference.address);
  const before: CodeRow[][] = [];
  for (let page = home - 1n; index + skip < 0; page--) {
    const more = page < 0n ? outside(-1n, -(index + skip), -1n).reverse() : view.rows(page);
    before.push(more as CodeRow[]);
    index += more.length;
  }
  const all = before.reverse().flat().concat(rows);
  for (let page = home + 1n; all.length < index + skip + count; page++) {
    const missing = index + skip + count - all.length;
    all.push(...(page > LAST_PAGE ? outside(1n << 64n, missing, 1n) : view.rows(page)));
  }
  return all.slice(index + skip, index + skip + count);
}

/** Rows past an end of the address space. */
function outside(first: bigint, count: number, step: bigint): CodeRow[] {
  return Array.from({ length: count }, (_, i) => ({
    address: first + BigInt(i) * step,
    bytes: NO_BYTES,
    text: "(outside of the address space)",
    isValid: false,
  }));
}
