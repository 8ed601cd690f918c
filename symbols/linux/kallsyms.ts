/**
 * Finds and decodes a Linux kernel's own symbol table (kallsyms) in its memory, by structure alone.
 *
 * The tables, made by the kernel's scripts/kallsyms.c, lie in .rodata, each aligned to 4 or 8:
 *   num_syms       u32 (a long before 4.20)
 *   names          one record a symbol: its length (7 bits a byte; two bytes are possible since
 *                  6.1), then indices of tokens; the first letter of the text is the symbol's type
 *   markers        u32 (a long before 4.20): offset into names of every 256th symbol
 *   token_table    256 texts, each ended by NUL
 *   token_index    256 u16 offsets into token_table
 *   addresses      see kallsyms-addresses.ts
 */
import { addressesNear } from "./kallsyms-addresses.ts";
import type { KernelBytes } from "./kernel-bytes.ts";
import type { SymbolColumns } from "./symbol-list.ts";

const TOKENS = 256;
const STRIDE = 256;
const LONGEST_TOKEN = 128;
/** 6.2 and 6.3 have seqs_of_names, three bytes a symbol, between markers and token table. */
const MARKERS_WITHIN = 4 << 20;
const LEAST_MARKERS = 8;
/** Memory made to look like tables may not take long: so many are tried. */
const MOST_TABLES = 16;
const MOST_MARKERS_TRIED = 64;
/** Bytes of names between two markers. */
const LEAST_MARKED = STRIDE * 2;
const MOST_MARKED = STRIDE * 129;

/** The symbols, or undefined where there are no tables that agree with themselves. */
export function findKallsyms(memory: KernelBytes): SymbolColumns | undefined {
  let tables = 0;
  for (let at = nextTokenIndex(memory, 0); at >= 0; at = nextTokenIndex(memory, at + 4)) {
    const tableAt = tokenTableBefore(memory, at);
    if (tableAt === undefined) continue;
    if (++tables > MOST_TABLES) break;
    const names = namesBefore(memory, tableAt);
    if (names === undefined) continue;
    const { count, countAt } = names;
    const addresses = addressesNear(memory, { count, countAt, indexEnd: at + TOKENS * 2 });
    if (addresses === undefined) continue;
    const texts = readNames(memory, names, readTokens(memory, tableAt, at));
    const types = texts.map((text) => text.charAt(0)).join("");
    return { addresses, types, names: texts.map((text) => text.slice(1)) };
  }
  return undefined;
}

/** Offset of the next 256 u16 that ascend from 0 by the length of a token each; -1 for none. */
function nextTokenIndex(memory: KernelBytes, from: number): number {
  const { words } = memory;
  const end = words.length - TOKENS / 2;
  for (let i = from >> 2; i < end; i++) {
    const first = words[i] as number;
    if ((first & 0xffff) !== 0 || first < 0x2_0000 || first > LONGEST_TOKEN * 0x1_0000) continue;
    if (isTokenIndex(memory, i * 4)) return i * 4;
  }
  return -1;
}

function isTokenIndex(memory: KernelBytes, at: number): boolean {
  for (let i = 1; i < TOKENS; i++) {
    const length = memory.half(at + 2 * i) - memory.half(at + 2 * i - 2);
    if (length < 1 || length > LONGEST_TOKEN) return false;
  }
  return true;
}

/** The table of texts that ends right before its index: each text ends where the next begins. */
function tokenTableBefore(memory: KernelBytes, indexAt: number): number | undefined {
  const last = memory.half(indexAt + 2 * TOKENS - 2);
  const latest = (indexAt - last - 2) & ~3;
  for (let start = latest; start >= Math.max(4, latest - LONGEST_TOKEN); start -= 4) {
    if (isTokenTable(memory, start, indexAt)) return start;
  }
  return undefined;
}

function isTokenTable(memory: KernelBytes, start: number, indexAt: number): boolean {
  const { bytes } = memory;
  for (let i = 1; i < TOKENS; i++) {
    if (bytes[start + memory.half(indexAt + 2 * i) - 1] !== 0) return false;
  }
  const end = bytes.indexOf(0, start + memory.half(indexAt + 2 * TOKENS - 2));
  if (end < 0 || end >= indexAt || indexAt - end > 8) return false;
  return bytes.subarray(start, end).every((byte) => byte === 0 || (byte > 0x20 && byte < 0x7f));
}

function readTokens(memory: KernelBytes, tableAt: number, indexAt: number): Uint8Array[] {
  return Array.from({ length: TOKENS }, (_, i) => {
    const from = tableAt + memory.half(indexAt + 2 * i);
    return memory.bytes.subarray(from, memory.bytes.indexOf(0, from));
  });
}

interface Markers {
  readonly at: number;
  /** May count a few words too many where something else follows. */
  readonly count: number;
  readonly width: 4 | 8;
}

interface Names {
  readonly at: number;
  readonly countAt: number;
  readonly count: number;
  /** A length may take two bytes. */
  readonly hasLongNames: boolean;
}

function namesBefore(memory: KernelBytes, tableAt: number): Names | undefined {
  const lowest = Math.max(0, tableAt - MARKERS_WITHIN);
  let tried = 0;
  for (let at = tableAt - 4 * LEAST_MARKERS; at >= lowest; at -= 4) {
    const markers = memory.word(at) === 0 ? markersFrom(memory, at, tableAt) : undefined;
    if (markers === undefined) continue;
    const names = namesOf(memory, markers);
    if (names !== undefined || ++tried >= MOST_MARKERS_TRIED) return names;
  }
  return undefined;
}

function markersFrom(memory: KernelBytes, at: number, end: number): Markers | undefined {
  const width = memory.word(at + 4) === 0 ? 8 : 4;
  let count = 1;
  for (; at + count * width < end; count++) {
    const grown = memory.word(at + count * width) - memory.word(at + (count - 1) * width);
    if (grown < LEAST_MARKED || grown > MOST_MARKED) break;
    if (width === 8 && memory.word(at + count * width + 4) !== 0) break;
  }
  return count < LEAST_MARKERS ? undefined : { at, count, width };
}

/** The names end at the markers; the number of symbols, just before them, tells where they begin. */
function namesOf(memory: KernelBytes, markers: Markers): Names | undefined {
  const last = memory.word(markers.at + (markers.count - 1) * markers.width);
  for (let at = markers.at - last; at >= Math.max(8, markers.at - last - MOST_MARKED - 8); at--) {
    if (at % 4 !== 0) continue;
    for (const countAt of [at - 8, at - 4]) {
      const count = memory.word(countAt);
      const needed = Math.ceil(count / STRIDE);
      if (needed > markers.count || needed < markers.count - 3) continue;
      for (const hasLongNames of [true, false]) {
        const names = { at, countAt, count, hasLongNames };
        if (agree(memory, names, markers)) return names;
      }
    }
  }
  return undefined;
}

/** Whether each marker is where its symbol's name begins. */
function agree(memory: KernelBytes, names: Names, markers: Markers): boolean {
  let at = names.at;
  for (let i = 0; i < names.count; i++) {
    if (i % STRIDE === 0) {
      const marker = memory.word(markers.at + (i / STRIDE) * markers.width);
      if (at - names.at !== marker) return false;
    }
    const length = lengthAt(memory, at, names.hasLongNames);
    if (length === 0) return false;
    at += length + (isLong(memory, at, names.hasLongNames) ? 2 : 1);
  }
  return at <= markers.at && markers.at - at <= 8;
}

const isLong = (memory: KernelBytes, at: number, hasLongNames: boolean): boolean =>
  hasLongNames && ((memory.bytes[at] ?? 0) & 0x80) !== 0;

function lengthAt(memory: KernelBytes, at: number, hasLongNames: boolean): number {
  const first = memory.bytes[at] ?? 0;
  if (!isLong(memory, at, hasLongNames)) return first;
  return (first & 0x7f) | ((memory.bytes[at + 1] ?? 0) << 7);
}

/** Each with its type in front. All are decoded as one text and cut: a text a name is much slower. */
function readNames(memory: KernelBytes, names: Names, tokens: readonly Uint8Array[]): string[] {
  const { bytes } = memory;
  const ends = new Uint32Array(names.count);
  let out = new Uint8Array(names.count * 32);
  let length = 0;
  let at = names.at;
  for (let i = 0; i < names.count; i++) {
    const end = at + (isLong(memory, at, names.hasLongNames) ? 2 : 1);
    const last = end + lengthAt(memory, at, names.hasLongNames);
    for (at = end; at < last; at++) {
      const token = tokens[bytes[at] as number] as Uint8Array;
      if (length + token.length > out.length) out = grown(out);
      for (let j = 0; j < token.length; j++) out[length++] = token[j] as number;
    }
    ends[i] = length;
  }
  const text = new TextDecoder("latin1").decode(out.subarray(0, length));
  return Array.from(ends, (end, i) => text.slice(ends[i - 1] ?? 0, end));
}

function grown(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2 + LONGEST_TOKEN);
  larger.set(bytes);
  return larger;
}
