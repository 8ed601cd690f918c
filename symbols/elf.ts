// Reads ELF32 and ELF64 little-endian files: header, sections, program headers and symbols.
import { FormatError, hex, Reader } from "./dwarf/reader.ts";
import { inflate } from "./inflate.ts";

export type Machine = "x86_64" | "i386";

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: bigint;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileSize: number;
  readonly memorySize: bigint;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
  readonly kind: "none" | "object" | "function" | "section" | "file" | "tls" | "other";
  readonly binding: "local" | "global" | "weak" | "other";
  /** Index of its section; 0 is undefined, 0xfff1 absolute, 0xfff2 common. */
  readonly section: number;
}

const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_DYNSYM = 11;
const SHT_NOTE = 7;
const SHF_COMPRESSED = 0x800n;
const ELFCOMPRESS_ZLIB = 1;
const NT_GNU_BUILD_ID = 3;
const MACHINES: Readonly<Record<number, Machine>> = { 3: "i386", 62: "x86_64" };
const KINDS: readonly ElfSymbol["kind"][] = [
  "none",
  "object",
  "function",
  "section",
  "file",
  "other",
  "tls",
];
const BINDINGS: readonly ElfSymbol["binding"][] = ["local", "global", "weak"];

/** An ELF image over the bytes of its file; nothing is copied. Made by `readElf`. */
export interface Elf {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly is64: boolean;
  readonly machine: Machine;
  /** ET_REL 1, ET_EXEC 2, ET_DYN 3, ET_CORE 4. */
  readonly type: number;
  readonly entry: bigint;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
}

/**
 * Reads the headers of `bytes`. Throws a FormatError of one sentence that names `file` and the
 * reason where it is not a little-endian x86 ELF or its headers lie outside the file.
 */
export function readElf(bytes: Uint8Array, file: string): Elf {
  const fail = (reason: string) => new FormatError(`${file}: ${reason}`);
  if (bytes.length < 4 || hexOf(bytes.subarray(0, 4)) !== "7f454c46") {
    throw fail("not an ELF file (it does not begin with 7f 45 4c 46)");
  }
  if (bytes.length < 0x34) throw fail(`truncated: ${bytes.length} bytes hold no ELF header`);
  const [elfClass, encoding] = [bytes[4]!, bytes[5]!];
  if (elfClass !== 1 && elfClass !== 2) throw fail(`unknown ELF class ${elfClass}`);
  if (encoding !== 1) throw fail("a big-endian ELF file; only little-endian x86 is supported");
  const is64 = elfClass === 2;
  if (is64 && bytes.length < 0x40) throw fail(`truncated: ${bytes.length} bytes hold no header`);
  const header = readHeader(new Reader(bytes, file, 16), is64);
  const machine = MACHINES[header.machine];
  if (!machine) throw fail(`machine ${header.machine} is neither x86-64 (62) nor i386 (3)`);
  const segments = readSegments(bytes, file, is64, header);
  const sections = readSections(bytes, file, is64, header);
  return { file, bytes, is64, machine, type: header.type, entry: header.entry, sections, segments };
}

/** The section of that name, if there is one. */
export function sectionNamed(elf: Elf, name: string): ElfSection | undefined {
  return elf.sections.find((section) => section.name === name);
}

/**
 * The bytes of a section (none for NOBITS), inflated where it is compressed. Throws a FormatError
 * where it lies outside the file or cannot be inflated.
 */
export function sectionBytes(elf: Elf, section: ElfSection): Uint8Array {
  if (section.type === SHT_NOBITS) return new Uint8Array(0);
  const end = section.offset + section.size;
  if (end > elf.bytes.length) {
    throw new FormatError(
      `${elf.file}: truncated: section ${section.name} ends at ${hex(end)}, the file at ${hex(elf.bytes.length)}`,
    );
  }
  const bytes = elf.bytes.subarray(section.offset, end);
  return section.flags & SHF_COMPRESSED ? inflated(elf, section, bytes) : bytes;
}

/** Elf32_Chdr: type, size, alignment; Elf64_Chdr: type, 4 bytes, size, alignment. */
function inflated(elf: Elf, section: ElfSection, bytes: Uint8Array): Uint8Array {
  const name = `${elf.file}: section ${section.name}`;
  const reader = new Reader(bytes, name);
  const type = reader.u32();
  if (elf.is64) reader.skip(4);
  const size = reader.offset(elf.is64 ? 8 : 4);
  reader.skip(elf.is64 ? 8 : 4);
  if (type !== ELFCOMPRESS_ZLIB) {
    throw new FormatError(
      `${name} is compressed with method ${type}, and only zlib (1) is supported; use objcopy --decompress-debug-sections`,
    );
  }
  return inflate(reader.block(reader.remaining), size, name);
}

/** The symbols of .symtab, or of .dynsym in a stripped file; the null symbol is left out. */
export function readSymbols(elf: Elf): ElfSymbol[] {
  const table =
    elf.sections.find((section) => section.type === SHT_SYMTAB) ??
    elf.sections.find((section) => section.type === SHT_DYNSYM);
  if (!table) return [];
  const strings = elf.sections[table.link];
  if (!strings) throw new FormatError(`${elf.file}: ${table.name} has no string table`);
  const text = sectionBytes(elf, strings);
  const reader = new Reader(sectionBytes(elf, table), `${elf.file}: ${table.name}`);
  const entrySize = elf.is64 ? 24 : 16;
  const symbols: ElfSymbol[] = [];
  reader.skip(Math.min(entrySize, reader.remaining));
  while (reader.remaining >= entrySize) symbols.push(readSymbol(reader, elf, text));
  return symbols;
}

/** The GNU build id in hex, by which a symbol file is matched with its image. */
export function buildId(elf: Elf): string | undefined {
  for (const section of elf.sections) {
    if (section.type !== SHT_NOTE) continue;
    const reader = new Reader(sectionBytes(elf, section), `${elf.file}: ${section.name}`);
    while (reader.remaining >= 12) {
      const [nameSize, size, type] = [reader.u32(), reader.u32(), reader.u32()];
      const name = reader.block(nameSize);
      reader.skip(Math.min(-nameSize & 3, reader.remaining));
      const content = reader.block(size);
      reader.skip(Math.min(-size & 3, reader.remaining));
      if (type === NT_GNU_BUILD_ID && hexOf(name) === "474e5500") return hexOf(content);
    }
  }
  return undefined;
}

/** Layout: Elf32_Sym name value size info other shndx; Elf64_Sym name info other shndx value size. */
function readSymbol(reader: Reader, elf: Elf, strings: Uint8Array): ElfSymbol {
  const nameOffset = reader.u32();
  let address = 0n;
  let size = 0n;
  if (!elf.is64) [address, size] = [BigInt(reader.u32()), BigInt(reader.u32())];
  const info = reader.u8();
  reader.skip(1);
  const section = reader.u16();
  if (elf.is64) [address, size] = [reader.u64(), reader.u64()];
  return {
    name: new Reader(strings, `${elf.file}: symbol names`, nameOffset).string(),
    address,
    size,
    kind: KINDS[info & 15] ?? "other",
    binding: BINDINGS[info >> 4] ?? "other",
    section,
  };
}

interface Header {
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  readonly segmentOffset: number;
  readonly sectionOffset: number;
  readonly segmentSize: number;
  readonly segmentCount: number;
  readonly sectionSize: number;
  readonly sectionCount: number;
  readonly namesIndex: number;
}

function readHeader(reader: Reader, is64: boolean): Header {
  const word = is64 ? 8 : 4;
  const type = reader.u16();
  const machine = reader.u16();
  reader.skip(4);
  const entry = reader.unsigned(word);
  const segmentOffset = reader.offset(word);
  const sectionOffset = reader.offset(word);
  reader.skip(6);
  const [segmentSize, segmentCount] = [reader.u16(), reader.u16()];
  const [sectionSize, sectionCount, namesIndex] = [reader.u16(), reader.u16(), reader.u16()];
  return {
    type,
    machine,
    entry,
    segmentOffset,
    sectionOffset,
    segmentSize,
    segmentCount,
    sectionSize,
    sectionCount,
    namesIndex,
  };
}

function readSegments(bytes: Uint8Array, file: string, is64: boolean, header: Header) {
  const segments: ElfSegment[] = [];
  const table = tableReader(bytes, file, "program headers", [
    header.segmentOffset,
    header.segmentSize,
    header.segmentCount,
    is64 ? 56 : 32,
  ]);
  for (let i = 0; i < header.segmentCount; i++) {
    const reader = table.slice(header.segmentSize);
    const word = is64 ? 8 : 4;
    const type = reader.u32();
    const flags64 = is64 ? reader.u32() : 0;
    const offset = reader.offset(word);
    const [virtualAddress, physicalAddress] = [reader.unsigned(word), reader.unsigned(word)];
    const fileSize = reader.offset(word);
    const memorySize = reader.unsigned(word);
    const flags = is64 ? flags64 : reader.u32();
    segments.push({ type, flags, offset, virtualAddress, physicalAddress, fileSize, memorySize });
  }
  return segments;
}

function readSections(bytes: Uint8Array, file: string, is64: boolean, header: Header) {
  if (header.sectionOffset === 0) return [];
  const table = tableReader(bytes, file, "section headers", [
    header.sectionOffset,
    header.sectionSize,
    header.sectionCount,
    is64 ? 64 : 40,
  ]);
  const raw: { nameOffset: number; section: ElfSection }[] = [];
  for (let i = 0; i < header.sectionCount; i++) {
    const reader = table.slice(header.sectionSize);
    const word = is64 ? 8 : 4;
    const [nameOffset, type] = [reader.u32(), reader.u32()];
    const [flags, address] = [reader.unsigned(word), reader.unsigned(word)];
    const [offset, size, link] = [reader.offset(word), reader.offset(word), reader.u32()];
    reader.skip(4 + word);
    const entrySize = reader.offset(word);
    const section = { name: "", type, flags, address, offset, size, link, entrySize };
    raw.push({ nameOffset, section });
  }
  const names = raw[header.namesIndex]?.section;
  if (!names || names.offset + names.size > bytes.length) {
    throw new FormatError(`${file}: truncated or damaged: its section names are outside the file`);
  }
  const text = bytes.subarray(names.offset, names.offset + names.size);
  return raw.map(({ nameOffset, section }) => ({
    ...section,
    name: new Reader(text, `${file}: section names`, nameOffset).string(),
  }));
}

function tableReader(
  bytes: Uint8Array,
  file: string,
  what: string,
  [offset, size, count, least]: readonly [number, number, number, number],
): Reader {
  if (count === 0) return new Reader(bytes, file, 0, 0);
  if (size < least) throw new FormatError(`${file}: ${what} of ${size} bytes, ${least} expected`);
  if (offset + size * count > bytes.length) {
    throw new FormatError(`${file}: truncated: its ${what} end after the file does`);
  }
  return new Reader(bytes, `${file}: ${what}`, offset, offset + size * count);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
