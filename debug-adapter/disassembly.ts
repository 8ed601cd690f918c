/** Disassembles an exact number of instructions before and after an address. */
import type { Debuggee } from "./debuggee.ts";
import type { MemoryReference } from "./memory-reference.ts";
import { codeBits, liveRegisters, type World } from "./register-file.ts";
import type { DecodedInstruction, Disassembler } from "./services.ts";
import type { SourceLocation } from "./symbols/source-index.ts";

export interface DisassembledRow {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Of the function that begins here. */
  readonly symbol: string | undefined;
  readonly location: SourceLocation | undefined;
  readonly isValid: boolean;
}

interface Decoded {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly instruction: DecodedInstruction;
}

const LONGEST = 15;
const MASK = (1n << 64n) - 1n;

/** `skip` instructions from the reference on (or back, if negative), `count` rows of them. */
export function disassemble(
  debuggee: Debuggee,
  disassembler: Disassembler,
  reference: MemoryReference,
  skip: number,
  count: number,
): DisassembledRow[] {
  return new Listing(debuggee, disassembler, reference).rows(skip, count);
}

class Listing {
  private readonly debuggee: Debuggee;
  private readonly disassembler: Disassembler;
  private readonly reference: MemoryReference;
  private readonly world: World;

  constructor(debuggee: Debuggee, disassembler: Disassembler, reference: MemoryReference) {
    this.debuggee = debuggee;
    this.disassembler = disassembler;
    this.reference = reference;
    const { kind } = reference.space;
    this.world = kind === "gva" || kind === "gpa" ? "guest" : "host";
  }

  rows(skip: number, count: number): DisassembledRow[] {
    const { address } = this.reference;
    const before = Math.max(0, -skip);
    const rows: DisassembledRow[] = [];
    if (before > 0) {
      const found = this.backwards(address, before);
      const missing = before - found.length;
      const first = found[0]?.address ?? address;
      for (let i = missing; i > 0; i--) rows.push(hole((first - BigInt(i)) & MASK));
      rows.push(...found.map((each) => this.row(each)));
    }
    const forward = Math.max(0, skip) + Math.max(0, count - before);
    const after = this.forwards(address, forward);
    rows.push(...after.slice(Math.max(0, skip)));
    return rows.slice(0, count);
  }

  private read(address: bigint, length: number): Uint8Array {
    return this.debuggee.spaces.read({ space: this.reference.space, address }, length);
  }

  private get bits() {
    const registers = this.debuggee.registers(this.world) ?? liveRegisters(this.debuggee.machine);
    return codeBits(registers);
  }

  private decode(address: bigint, bytes: Uint8Array, count: number): Decoded[] {
    const decoded: Decoded[] = [];
    let at = 0;
    for (const instruction of this.disassembler.decode(bytes, address, this.bits, count)) {
      const end = at + instruction.length;
      decoded.push({
        address: (address + BigInt(at)) & MASK,
        bytes: bytes.subarray(at, end),
        instruction,
      });
      at = end;
    }
    return decoded;
  }

  /** Exactly `count` rows; memory that cannot be read gives invalid rows. */
  private forwards(address: bigint, count: number): DisassembledRow[] {
    const bytes = this.read(address, count * LONGEST);
    const decoded = this.decode(address, bytes, count);
    // An instruction that the end of readable memory cuts off is not one.
    const rows = decoded.map((each) => this.row(each));
    const last = decoded.at(-1);
    let next = last === undefined ? address : last.address + BigInt(last.instruction.length);
    while (rows.length < count) rows.push(hole(next++ & MASK));
    return rows;
  }

  /** Up to `count` instructions that end at `address`: from function starts, else where decoding falls into step. */
  private backwards(address: bigint, count: number): Decoded[] {
    let found: Decoded[] = [];
    let end = address;
    while (found.length < count) {
      const piece = this.fromFunction(end) ?? this.inStep(end, count - found.length);
      const first = piece[0];
      if (first === undefined) break;
      found = [...piece, ...found];
      end = first.address;
    }
    return found.slice(-count);
  }

  /** From the start of the function that holds the byte before `end`. */
  private fromFunction(end: bigint): Decoded[] | undefined {
    const image = this.debuggee.images.at(this.world, end - 1n);
    const start = image?.symbols.functionAt(end - 1n)?.start;
    if (start === undefined || start >= end || end - start > 0x10000n) return undefined;
    return this.exactly(start, end);
  }

  private inStep(end: bigint, count: number): Decoded[] {
    const furthest = BigInt(count * LONGEST + LONGEST);
    const from = end > furthest ? end - furthest : 0n;
    for (let start = this.firstReadable(from, end); start < end; start++) {
      const piece = this.exactly(start, end);
      if (piece !== undefined) return piece;
    }
    return [];
  }

  private firstReadable(from: bigint, end: bigint): bigint {
    if (this.read(from, Number(end - from)).length === Number(end - from)) return from;
    // Readability changes at pages only.
    let start = end;
    for (let page = (end - 1n) & ~0xfffn; page >= from - 0xfffn; page -= 0x1000n) {
      const low = page > from ? page : from;
      if (this.read(low, Number(start - low)).length < Number(start - low)) break;
      start = low;
      if (page === 0n) break;
    }
    return start;
  }

  /** The instructions from `start`, if one ends exactly at `end` and all are valid. */
  private exactly(start: bigint, end: bigint): Decoded[] | undefined {
    const length = Number(end - start);
    const bytes = this.read(start, length);
    if (bytes.length < length) return undefined;
    const decoded = this.decode(start, bytes, length);
    const last = decoded.at(-1);
    if (last === undefined || last.address + BigInt(last.instruction.length) !== end) {
      return undefined;
    }
    return decoded.every((each) => each.instruction.isValid) ? decoded : undefined;
  }

  private row({ address, bytes, instruction }: Decoded): DisassembledRow {
    const { images } = this.debuggee;
    const name = images.nameOf(this.world, address);
    return {
      address,
      bytes,
      text: instruction.text,
      symbol: name?.includes("+0x") ? undefined : name,
      location: images.sourceAt(this.world, address),
      isValid: instruction.isValid,
    };
  }
}

function hole(address: bigint): DisassembledRow {
  const nothing = { symbol: undefined, location: undefined, isValid: false };
  return { address, bytes: new Uint8Array(0), text: "??", ...nothing };
}
