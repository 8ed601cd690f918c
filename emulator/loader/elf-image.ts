/** ELF executables, 32 and 64 bits, as loaders see them: entry point and loadable segments. */

import type { ImageFile, MemoryWrite } from "./boot-image.ts";
import { viewOf } from "./bytes.ts";
import { LoadError, sizeText } from "./load-error.ts";
import { checkFits } from "./placement.ts";

const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const PT_LOAD = 1;

export interface ElfImage {
  readonly bits: 32 | 64;
  /** Virtual address, as the header has it. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
}

export interface ElfSegment {
  readonly physical: bigint;
  readonly virtual: bigint;
  /** The bytes in the file. */
  readonly bytes: Uint8Array;
  /** Size in memory; what is over the file's bytes is zero. */
  readonly memoryBytes: number;
}

export const isElf = (bytes: Uint8Array) =>
  bytes.length >= 4 && viewOf(bytes).getUint32(0, false) === 0x7f454c46;

export function parseElf({ name, bytes }: ImageFile): ElfImage {
  if (!isElf(bytes)) throw new LoadError(`${name} is not an ELF file`);
  const view = viewOf(bytes);
  const wide = bytes[4] === 2;
  if (bytes.length < (wide ? 64 : 52))
    throw new LoadError(`${name} is truncated in its ELF header`);
  if (bytes[5] !== 1 || (!wide && bytes[4] !== 1)) {
    throw new LoadError(`${name} is not a little-endian ELF file of 32 or 64 bits`);
  }
  const machine = view.getUint16(18, true);
  if (machine !== MACHINE_386 && machine !== MACHINE_X86_64) {
    throw new LoadError(`${name} is an ELF file for another machine (number ${machine}), not x86`);
  }
  if (view.getUint16(16, true) !== 2) throw new LoadError(`${name} is not an executable ELF file`);
  const entry = wide ? view.getBigUint64(24, true) : BigInt(view.getUint32(24, true));
  const table = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const entryBytes = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (table + count * entryBytes > bytes.length || entryBytes < (wide ? 56 : 32)) {
    throw new LoadError(`${name} is truncated in its ELF program headers`);
  }
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entryBytes;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const segment = readSegment(name, bytes, at, wide);
    if (segment.memoryBytes > 0) segments.push(segment);
  }
  if (segments.length === 0) throw new LoadError(`${name} has no loadable ELF segments`);
  return { bits: wide ? 64 : 32, entry, segments };
}

function readSegment(name: string, file: Uint8Array, at: number, wide: boolean): ElfSegment {
  const view = viewOf(file);
  const field = (narrowOffset: number, wideOffset: number) =>
    wide
      ? view.getBigUint64(at + wideOffset, true)
      : BigInt(view.getUint32(at + narrowOffset, true));
  const offset = Number(field(4, 8));
  const fileBytes = Number(field(16, 32));
  const memoryBytes = Number(field(20, 40));
  if (offset + fileBytes > file.length) {
    throw new LoadError(`${name} is truncated: an ELF segment ends after the end of the file`);
  }
  if (memoryBytes < fileBytes) {
    throw new LoadError(`${name} has an ELF segment that is smaller in memory than in the file`);
  }
  const bytes = file.subarray(offset, offset + fileBytes);
  return { physical: field(12, 24), virtual: field(8, 16), bytes, memoryBytes };
}

/** The segments as memory writes at their physical addresses, zeros included: no more than there is memory. */
export function segmentWrites(name: string, elf: ElfImage, ramBytes: number): MemoryWrite[] {
  const total = elf.segments.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  if (total > ramBytes) {
    throw new LoadError(
      `${name} does not fit in ${sizeText(ramBytes)} of memory: its segments take ${sizeText(total)}`,
    );
  }
  return elf.segments.map(({ physical, bytes, memoryBytes }, i) => {
    checkFits(name, Number(physical), memoryBytes, ramBytes);
    const whole = new Uint8Array(memoryBytes);
    whole.set(bytes);
    return { address: Number(physical), bytes: whole, what: `${name} segment ${i}` };
  });
}

/**
 * Physical address of the entry point: linkers write it as a virtual or as a physical one, and the
 * segment that holds it tells which.
 */
export function physicalEntry(name: string, elf: ElfImage): number {
  for (const { physical, virtual, memoryBytes } of elf.segments) {
    const inside = elf.entry - virtual;
    if (inside >= 0n && inside < BigInt(memoryBytes)) return Number(physical + inside);
  }
  for (const { physical, memoryBytes } of elf.segments) {
    const inside = elf.entry - physical;
    if (inside >= 0n && inside < BigInt(memoryBytes)) return Number(elf.entry);
  }
  throw new LoadError(`${name} has an entry point outside its ELF segments`);
}
