/** A kernel's symbols from a file that the user gave, completed by what the kernel says of itself. */
import type { ImageSymbols } from "../image-symbols.ts";
import type { KernelBytes } from "./kernel-bytes.ts";
import type { KernelInMemory } from "./read-kernel.ts";

/** Symbols that every x86-64 kernel has, spread over its image. */
const LANDMARKS = ["start_kernel", "entry_SYSCALL_64", "init_task", "_end"];
const START = "_text";
/** A kernel is moved by multiples of this at least (CONFIG_PHYSICAL_ALIGN). */
const SLIDE_STEP = 0x20_0000n;

/** Whether a file's symbols are those of a Linux kernel, which decides itself where it runs. */
export function isLinuxKernel({ symbols }: ImageSymbols): boolean {
  return [START, ...LANDMARKS].every((name) => symbols.named(name).length > 0);
}

/** Run address minus link address of a file's symbols. */
export function slideOf(file: ImageSymbols, kernel: KernelInMemory): bigint | undefined {
  const start = file.symbols.named(START)[0]?.address;
  return start === undefined ? undefined : kernel.start - start;
}

/** The slide at which the text of linux_banner is where the file says; the smallest if there are two. */
export function slideByBanner(file: ImageSymbols, memory: KernelBytes): bigint | undefined {
  const [banner] = file.symbols.named("linux_banner");
  if (banner === undefined || !isLinuxKernel(file)) return undefined;
  const text = new TextEncoder().encode("Linux version ");
  const ahead = BigInt.asUintN(64, banner.address - memory.start) % SLIDE_STEP;
  for (let at = Number(ahead); at < memory.bytes.length; at += Number(SLIDE_STEP)) {
    if (text.every((byte, i) => memory.bytes[at + i] === byte)) {
      return memory.start + BigInt(at) - banner.address;
    }
  }
  return undefined;
}

/** How the file shows that it is of another build than the kernel in memory; undefined if it is not. */
export function otherBuild(file: ImageSymbols, { symbols }: KernelInMemory): string | undefined {
  if (file.buildId !== undefined && symbols.buildId !== undefined) {
    if (file.buildId === symbols.buildId) return undefined;
    return `its build id is ${file.buildId}, the kernel's is ${symbols.buildId}`;
  }
  const name = LANDMARKS.find((each) => distance(file, each) !== distance(symbols, each));
  return name && `${name} lies elsewhere in it`;
}

function distance({ symbols }: ImageSymbols, name: string): bigint | undefined {
  const [start, place] = [symbols.named(START)[0], symbols.named(name)[0]];
  return start && place && place.address - start.address;
}

/**
 * The file's symbols with the kernel's own types and unwind tables where the file has none. Both
 * are in link addresses, and those may differ: the file need not be linked where kernels are.
 */
export function withKernelFile(file: ImageSymbols, kernel: KernelInMemory): ImageSymbols {
  const own = kernel.symbols;
  const apart = (slideOf(file, kernel) ?? 0n) - kernel.slide;
  return {
    registers: file.registers,
    buildId: file.buildId ?? own.buildId,
    symbols: file.symbols,
    get problems() {
      return file.problems;
    },
    hasDebugInfo: file.hasDebugInfo,
    functionAt: (address) => file.functionAt(address),
    symbolAt: (address) => file.symbolAt(address),
    sourceAt: (address) => file.sourceAt(address),
    sourceFiles: () => file.sourceFiles(),
    fileFor: (path) => file.fileFor(path),
    linesOf: (path) => file.linesOf(path),
    addressesOf: (path, line) => file.addressesOf(path, line),
    functionsNamed: (name) => file.functionsNamed(name),
    framesAt(pc) {
      const frames = file.framesAt(pc);
      return frames.length > 0 ? frames : own.framesAt(pc + apart);
    },
    globalsNamed: (name) => file.globalsNamed(name),
    typeNamed: (name) => file.typeNamed(name) ?? own.typeNamed(name),
    unwind(pc, state) {
      const unwound = file.unwind(pc, state);
      return unwound.kind === "unavailable" ? own.unwind(pc + apart, state) : unwound;
    },
  };
}
