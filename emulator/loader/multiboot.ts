/** Multiboot 1 kernels (specification 0.6.96), placed as QEMU's -kernel places them. */

import type { BootImage, ImageFile, LoadOptions, MemoryWrite, ModuleFile } from "./boot-image.ts";
import { alignUp, cString, viewOf } from "./bytes.ts";
import { isElf, parseElf, physicalEntry, segmentWrites } from "./elf-image.ts";
import {
  firmwareWrites,
  flatSegments,
  HIGH_MEMORY,
  LOW_MEMORY_END,
  memoryMap,
} from "./firmware.ts";
import { hex, LoadError } from "./load-error.ts";
import { checkApart, checkFits } from "./placement.ts";

const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002;
const SEARCH_BYTES = 8192;
/** Flags: page-aligned modules 0, memory information 1, video mode 2 (ignored), addresses 16. */
const KNOWN_REQUIREMENTS = 0x0007;
const FLAG_ADDRESSES = 0x1_0000;
/** The information structure lies where QEMU puts it, its memory map behind it. */
const INFO_ADDRESS = 0x9500;
const INFO_BYTES = 0x80;
/** Fields present: memory sizes 0, command line 2, modules 3, memory map 6, loader name 9. */
const INFO_FLAGS = 0x24d;
const MAP_ENTRY_BYTES = 24;
const PAGE = 4096;

interface Header {
  /** Offset in the file. */
  readonly at: number;
  readonly flags: number;
}

/** Looks for the header: 4-aligned in the first 8 KiB, with a checksum that fits. */
export function findMultibootHeader({ bytes }: ImageFile): Header | undefined {
  const view = viewOf(bytes);
  const end = Math.min(bytes.length, SEARCH_BYTES) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(at + 4, true);
    const sum = HEADER_MAGIC + flags + view.getUint32(at + 8, true);
    if (sum >>> 0 === 0) return { at, flags };
  }
  return undefined;
}

interface Kernel {
  readonly writes: readonly MemoryWrite[];
  readonly entry: number;
}

/** By the addresses in the header: load, end of data, end of bss, entry (section 3.1.3). */
function loadByAddresses({ name, bytes }: ImageFile, header: Header, ramBytes: number): Kernel {
  if (header.at + 32 > bytes.length) throw new LoadError(`${name} is truncated in its header`);
  const view = viewOf(bytes);
  const field = (offset: number) => view.getUint32(header.at + offset, true);
  const [headerAddress, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map(field) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const from = header.at - (headerAddress - load);
  if (headerAddress < load || from < 0) {
    throw new LoadError(`${name} has a multiboot load address that is not inside the file`);
  }
  const length = loadEnd === 0 ? bytes.length - from : loadEnd - load;
  if (length < 0 || from + length > bytes.length) {
    throw new LoadError(`${name} is truncated: its multiboot header asks for ${length} bytes`);
  }
  const total = Math.max(bssEnd - load, length);
  checkFits(name, load, total, ramBytes);
  const whole = new Uint8Array(total);
  whole.set(bytes.subarray(from, from + length));
  return { writes: [{ address: load, bytes: whole, what: name }], entry };
}

function loadKernel(file: ImageFile, header: Header, ramBytes: number): Kernel {
  if (header.flags & FLAG_ADDRESSES) return loadByAddresses(file, header, ramBytes);
  if (!isElf(file.bytes)) {
    throw new LoadError(
      `${file.name} has a multiboot header without load addresses (flag 16) and is not an ELF file`,
    );
  }
  const elf = parseElf(file);
  return { writes: segmentWrites(file.name, elf, ramBytes), entry: physicalEntry(file.name, elf) };
}

/** "file args", as QEMU gives it. */
const withArguments = (name: string, args: string | undefined) => (args ? `${name} ${args}` : name);

interface Placed {
  readonly writes: readonly MemoryWrite[];
  readonly moduleTable: number;
  readonly commandLine: number;
  readonly loaderName: number;
}

/** From the page after the kernel: module table and strings, then each module on a page. */
function placeModules(options: LoadOptions, start: number): Placed {
  const modules: readonly ModuleFile[] = options.modules ?? [];
  const table = new Uint8Array(16 * modules.length);
  const view = viewOf(table);
  let next = start + table.length;
  const writes: MemoryWrite[] = [];
  const placeText = (text: string, what: string) => {
    const write = { address: next, bytes: cString(text), what };
    writes.push(write);
    next += write.bytes.length;
    return write.address;
  };
  modules.forEach(({ name, args }, i) => {
    view.setUint32(16 * i + 8, placeText(withArguments(name, args), `string of ${name}`), true);
  });
  const kernelLine = withArguments(options.kernel.name, options.append);
  const commandLine = placeText(kernelLine, "command line");
  const loaderName = placeText("minvisor", "loader name");
  checkFits("The kernel's command line", start, next - start, options.ramBytes);
  modules.forEach(({ name, bytes }, i) => {
    const address = alignUp(next, PAGE);
    checkFits(`Module ${name}`, address, bytes.length, options.ramBytes);
    view.setUint32(16 * i, address, true);
    view.setUint32(16 * i + 4, address + bytes.length, true);
    writes.push({ address, bytes, what: name });
    next = address + bytes.length;
  });
  writes.push({ address: start, bytes: table, what: "module table" });
  return { writes, moduleTable: start, commandLine, loaderName };
}

/** The information structure and its memory map (section 3.3). */
function information(options: LoadOptions, placed: Placed): MemoryWrite {
  const ranges = memoryMap(options.ramBytes);
  const bytes = new Uint8Array(INFO_BYTES + ranges.length * MAP_ENTRY_BYTES);
  const view = viewOf(bytes);
  const put = (offset: number, value: number) => view.setUint32(offset, value, true);
  put(0, INFO_FLAGS);
  put(4, LOW_MEMORY_END >> 10);
  put(8, (options.ramBytes - HIGH_MEMORY) >>> 10);
  put(16, placed.commandLine);
  put(20, options.modules?.length ?? 0);
  put(24, placed.moduleTable);
  put(44, ranges.length * MAP_ENTRY_BYTES);
  put(48, INFO_ADDRESS + INFO_BYTES);
  put(64, placed.loaderName);
  ranges.forEach(({ base, length, type }, i) => {
    const at = INFO_BYTES + i * MAP_ENTRY_BYTES;
    put(at, MAP_ENTRY_BYTES - 4);
    view.setBigUint64(at + 4, BigInt(base), true);
    view.setBigUint64(at + 12, BigInt(length), true);
    put(at + 20, type);
  });
  return { address: INFO_ADDRESS, bytes, what: "multiboot information" };
}

export function loadMultiboot(options: LoadOptions): BootImage {
  const { kernel, ramBytes } = options;
  const header = findMultibootHeader(kernel);
  if (header === undefined) {
    throw new LoadError(`${kernel.name} has no multiboot header in its first 8 KiB`);
  }
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown) {
    throw new LoadError(
      `${kernel.name} requires unknown multiboot features (flags ${hex(unknown)})`,
    );
  }
  const { writes, entry } = loadKernel(kernel, header, ramBytes);
  const kernelEnd = Math.max(...writes.map(({ address, bytes }) => address + bytes.length));
  const placed = placeModules(options, Math.max(alignUp(kernelEnd, PAGE), HIGH_MEMORY));
  const info = information(options, placed);
  const segments = flatSegments(0x08, 0x10);
  const own = [...firmwareWrites(), segments.write, info];
  for (const write of writes) checkApart(kernel.name, write, own);
  return {
    kind: "multiboot",
    name: kernel.name,
    writes: [...own, ...writes, ...placed.writes],
    entry: {
      mode: "protected",
      eip: entry,
      registers: { eax: LOADER_MAGIC, ebx: INFO_ADDRESS },
      cs: segments.cs,
      data: segments.data,
      gdtr: segments.gdtr,
    },
    firmware: true,
  };
}
