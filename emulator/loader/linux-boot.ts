/** Linux bzImage kernels by the 32-bit boot protocol (Linux Documentation/arch/x86/boot.rst). */

import { RSDP_ADDRESS } from "./acpi-tables.ts";
import type { BootImage, ImageFile, LoadOptions, MemoryWrite } from "./boot-image.ts";
import { alignDown, cString, viewOf } from "./bytes.ts";
import { firmwareWrites, flatSegments, memoryMap } from "./firmware.ts";
import { hex, LoadError } from "./load-error.ts";
import { checkFits } from "./placement.ts";

const SETUP_HEADER = 0x1f1;
const HEADER_MAGIC = 0x5372_6448;
/** 2.10: the first version whose init_size tells how much memory the kernel needs to unpack. */
const OLDEST_VERSION = 0x020a;
const LOADED_HIGH = 1;
/** Zero page and command line lie where QEMU puts them. */
const ZERO_PAGE = 0x1_0000;
const COMMAND_LINE = 0x2_0000;
const E820_TABLE = 0x2d0;
const UNKNOWN_LOADER = 0xff;
const PAGE = 4096;

export const isLinux = ({ bytes }: ImageFile) =>
  bytes.length >= 0x268 && viewOf(bytes).getUint32(0x202, true) === HEADER_MAGIC;

interface Setup {
  /** Bytes before the protected-mode kernel in the file. */
  readonly setupBytes: number;
  readonly codeStart: number;
  /** Memory that the kernel needs from where it runs until it knows the memory map. */
  readonly runStart: number;
  readonly initSize: number;
  readonly initrdMax: number;
  readonly commandLineMax: number;
}

function readSetup({ name, bytes }: ImageFile): Setup {
  const view = viewOf(bytes);
  if (view.getUint16(0x1fe, true) !== 0xaa55) {
    throw new LoadError(`${name} is not a bzImage: its boot sector has no 0xAA55 mark`);
  }
  const version = view.getUint16(0x206, true);
  if (version < OLDEST_VERSION) {
    const text = `${version >> 8}.${(version & 0xff).toString().padStart(2, "0")}`;
    throw new LoadError(`${name} has Linux boot protocol ${text}; 2.10 or later is needed`);
  }
  if (!(bytes[0x211]! & LOADED_HIGH)) {
    throw new LoadError(`${name} is a zImage that loads low; only a bzImage is supported`);
  }
  const setupBytes = ((bytes[SETUP_HEADER] || 4) + 1) * 512;
  const declared = view.getUint32(0x1f4, true) * 16;
  if (bytes.length <= setupBytes || bytes.length < setupBytes + declared) {
    throw new LoadError(
      `${name} is truncated: its header promises ${setupBytes + declared} bytes, it has ${bytes.length}`,
    );
  }
  const codeStart = view.getUint32(0x214, true);
  const relocatable = bytes[0x234] !== 0;
  const preferred = Number(view.getBigUint64(0x258, true));
  return {
    setupBytes,
    codeStart,
    runStart: relocatable ? Math.max(codeStart, preferred) : preferred,
    initSize: view.getUint32(0x260, true),
    initrdMax: view.getUint32(0x22c, true),
    commandLineMax: view.getUint32(0x238, true),
  };
}

/** The zero page: the setup header of the image, completed, and the memory map. */
function zeroPage(options: LoadOptions, initrd: MemoryWrite | undefined): MemoryWrite {
  const image = options.kernel.bytes;
  const bytes = new Uint8Array(PAGE);
  const headerEnd = 0x202 + image[0x201]!;
  bytes.set(image.subarray(SETUP_HEADER, headerEnd), SETUP_HEADER);
  const view = viewOf(bytes);
  view.setBigUint64(0x070, BigInt(RSDP_ADDRESS), true);
  bytes[0x210] = UNKNOWN_LOADER;
  view.setUint32(0x228, COMMAND_LINE, true);
  view.setUint32(0x218, initrd?.address ?? 0, true);
  view.setUint32(0x21c, initrd?.bytes.length ?? 0, true);
  const ranges = memoryMap(options.ramBytes);
  bytes[0x1e8] = ranges.length;
  ranges.forEach(({ base, length, type }, i) => {
    const at = E820_TABLE + i * 20;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  return { address: ZERO_PAGE, bytes, what: "boot parameters" };
}

/** As high as the kernel allows, on a page; it must not touch what the kernel needs to unpack. */
function placeInitrd(options: LoadOptions, setup: Setup): MemoryWrite | undefined {
  const [initrd, second] = options.modules ?? [];
  if (second !== undefined) {
    throw new LoadError(`${second.name} is a second module, and Linux takes one: its initrd`);
  }
  if (initrd === undefined) return undefined;
  const top = Math.min(setup.initrdMax + 1, options.ramBytes);
  const address = alignDown(top - initrd.bytes.length, PAGE);
  const kernelEnd = setup.runStart + setup.initSize;
  if (address < kernelEnd) {
    throw new LoadError(
      `Module ${initrd.name} does not fit between the kernel's end ${hex(kernelEnd)} and ${hex(top)}`,
    );
  }
  return { address, bytes: initrd.bytes, what: initrd.name };
}

export function loadLinux(options: LoadOptions): BootImage {
  const { kernel, ramBytes } = options;
  if (!isLinux(kernel)) throw new LoadError(`${kernel.name} has no Linux setup header`);
  const setup = readSetup(kernel);
  const code = kernel.bytes.subarray(setup.setupBytes);
  checkFits(kernel.name, setup.codeStart, code.length, ramBytes);
  checkFits(kernel.name, setup.runStart, setup.initSize, ramBytes);
  const commandLine = cString(options.append ?? "");
  if (commandLine.length - 1 > setup.commandLineMax) {
    throw new LoadError(
      `The command line for ${kernel.name} is longer than its ${setup.commandLineMax} characters`,
    );
  }
  const initrd = placeInitrd(options, setup);
  const segments = flatSegments(0x10, 0x18);
  const writes: MemoryWrite[] = [
    ...firmwareWrites(),
    segments.write,
    { address: setup.codeStart, bytes: code, what: kernel.name },
    { address: COMMAND_LINE, bytes: commandLine, what: "command line" },
    zeroPage(options, initrd),
  ];
  if (initrd) writes.push(initrd);
  return {
    kind: "linux",
    name: kernel.name,
    writes,
    entry: {
      mode: "protected",
      eip: setup.codeStart,
      registers: { esi: ZERO_PAGE },
      cs: segments.cs,
      data: segments.data,
      gdtr: segments.gdtr,
    },
    firmware: true,
  };
}
