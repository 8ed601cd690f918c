/** Makes a kernel's symbols from its memory: table of symbols, types, unwind tables, version. */
import { findBuildIdNote, parseBuildIdNote } from "../build-id-note.ts";
import { readBtf } from "./btf.ts";
import { findKallsyms } from "./kallsyms.ts";
import { KernelBytes } from "./kernel-bytes.ts";
import { type KernelPart, partsOf } from "./kernel-parts.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { OrcUnwinder } from "./orc.ts";
import { KERNEL_START, type SymbolColumns, SymbolList } from "./symbol-list.ts";

/** Where _text is linked: __START_KERNEL_map and CONFIG_PHYSICAL_START, which no distribution changes. */
const LINKED_TEXT = 0xffffffff_81000000n;
const LONGEST_BANNER = 512;

export interface KernelInMemory {
  readonly symbols: KernelSymbols;
  /** Run address minus link address. */
  readonly slide: bigint;
  /** Run addresses of the first byte and behind the last. */
  readonly start: bigint;
  readonly end: bigint;
  readonly parts: readonly KernelPart[];
  /** E.g. "6.1.0-13-amd64"; undefined where the kernel does not say. */
  readonly version: string | undefined;
}

/** Undefined where the memory has no kernel, or one without a table of its symbols. */
export function readKernel(memory: KernelBytes): KernelInMemory | undefined {
  const columns = findKallsyms(memory);
  if (columns === undefined) return undefined;
  const start = columns.addresses[columns.names.indexOf("_text")];
  if (start === undefined) return undefined;
  const slide = start - LINKED_TEXT;
  const list = new SymbolList(linked(columns, slide));
  const end = list.address("_end");
  if (end === undefined) return undefined;
  const image = new KernelBytes(memory.start - slide, memory.bytes);
  const part = (from: string, to: string) => partBetween(image, list, from, to);
  const btf = part("__start_BTF", "__stop_BTF")?.slice();
  const symbols = new KernelSymbols({
    symbols: list,
    buildId: buildIdIn(part("__start_notes", "__stop_notes")),
    types: once(() => btf && readBtf(btf)),
    unwinder: unwinderOf(image, list),
  });
  const version = versionOf(image, list);
  return { symbols, slide, start, end: end + slide, parts: partsOf(list), version };
}

function linked({ addresses, names, types }: SymbolColumns, slide: bigint): SymbolColumns {
  const moved = addresses.map((address) => (address < KERNEL_START ? address : address - slide));
  return { addresses: moved, names, types };
}

function partBetween(memory: KernelBytes, symbols: SymbolList, from: string, to: string) {
  const [first, last] = [symbols.address(from), symbols.address(to)];
  if (first === undefined || last === undefined) return undefined;
  const bytes = memory.between(first, last);
  return bytes.length === 0 ? undefined : bytes;
}

function unwinderOf(memory: KernelBytes, symbols: SymbolList) {
  const part = (name: string) =>
    partBetween(memory, symbols, `__start_${name}`, `__stop_${name}`)?.slice();
  const [ips, entries] = [part("orc_unwind_ip"), part("orc_unwind")];
  const at = symbols.address("__start_orc_unwind_ip");
  if (ips === undefined || entries === undefined || at === undefined) return undefined;
  return once(() => new OrcUnwinder({ ipStart: at, ips, entries }));
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function versionOf(memory: KernelBytes, symbols: SymbolList): string | undefined {
  const at = symbols.address("linux_banner");
  if (at === undefined) return undefined;
  const text = new TextDecoder("latin1").decode(memory.between(at, at + BigInt(LONGEST_BANNER)));
  return /^Linux version (\S+)/.exec(text)?.[1];
}

function buildIdIn(notes: Uint8Array | undefined): string | undefined {
  const found = notes && findBuildIdNote(notes);
  if (notes === undefined || found === undefined) return undefined;
  return parseBuildIdNote(notes.subarray(found.offset, found.offset + found.size))?.id;
}
