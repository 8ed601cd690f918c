/** Makes a kernel's symbols from its memory: table of symbols, types, unwind tables, version. */
import { readBtf } from "./btf.ts";
import { findKallsyms } from "./kallsyms.ts";
import type { KernelBytes } from "./kernel-bytes.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { OrcUnwinder } from "./orc.ts";
import { KERNEL_START, type SymbolColumns, SymbolList } from "./symbol-list.ts";

/** Where _text is linked: __START_KERNEL_map and CONFIG_PHYSICAL_START, which no distribution changes. */
export const LINKED_TEXT = 0xffffffff_81000000n;
const NT_GNU_BUILD_ID = 3;
const LONGEST_BANNER = 512;

/** A part of the image, in link addresses. */
export interface KernelPart {
  readonly start: bigint;
  readonly end: bigint;
  readonly isExecutable: boolean;
}

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
  const running = new SymbolList(columns);
  const start = running.address("_text");
  const end = running.address("_end");
  if (start === undefined || end === undefined) return undefined;
  const slide = start - LINKED_TEXT;
  const part = (from: string, to: string) => partBetween(memory, running, from, to);
  const btf = part("__start_BTF", "__stop_BTF")?.slice();
  const list = new SymbolList(linked(columns, slide));
  const symbols = new KernelSymbols({
    symbols: list,
    buildId: buildIdIn(part("__start_notes", "__stop_notes")),
    types: once(() => btf && readBtf(btf)),
    unwinder: unwinderOf(memory, running, slide),
  });
  const version = versionOf(memory, running);
  return { symbols, slide, start, end, parts: partsOf(list, end - slide), version };
}

/** Text and initialisation code are executed; what lies between and behind them is not. */
function partsOf(symbols: SymbolList, end: bigint): KernelPart[] {
  const bounds = ["_text", "_etext", "_sinittext", "_einittext"].map((each) =>
    symbols.address(each),
  );
  const [text, textEnd, init, initEnd] = bounds;
  if (text === undefined || textEnd === undefined || init === undefined || initEnd === undefined) {
    return [{ start: LINKED_TEXT, end, isExecutable: true }];
  }
  return [
    { start: text, end: textEnd, isExecutable: true },
    { start: textEnd, end: init, isExecutable: false },
    { start: init, end: initEnd, isExecutable: true },
    { start: initEnd, end, isExecutable: false },
  ];
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

function unwinderOf(memory: KernelBytes, symbols: SymbolList, slide: bigint) {
  const part = (name: string) =>
    partBetween(memory, symbols, `__start_${name}`, `__stop_${name}`)?.slice();
  const [ips, entries] = [part("orc_unwind_ip"), part("orc_unwind")];
  const at = symbols.address("__start_orc_unwind_ip");
  if (ips === undefined || entries === undefined || at === undefined) return undefined;
  return once(() => new OrcUnwinder({ ipStart: at - slide, ips, entries }));
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

/** The build id among ELF notes (u32 name size, u32 size, u32 type; then name and contents, padded to 4). */
function buildIdIn(notes: Uint8Array | undefined): string | undefined {
  if (notes === undefined) return undefined;
  const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength);
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const from = at + 12 + ((nameSize + 3) & ~3);
    const name = String.fromCharCode(...notes.subarray(at + 12, at + 12 + Math.min(nameSize, 4)));
    if (view.getUint32(at + 8, true) === NT_GNU_BUILD_ID && name === "GNU\0") {
      const id = notes.subarray(from, from + size);
      return Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    at = from + ((size + 3) & ~3);
  }
  return undefined;
}
