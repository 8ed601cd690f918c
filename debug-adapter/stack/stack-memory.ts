/** Memory of one world as an unwinder reads it: the same pages again and again, words of the stack. */

import { Attribute } from "../../emulator/index.ts";
import { fromBytes } from "../../symbols/location.ts";
import type { Debuggee } from "../debuggee.ts";
import type { RegisterFile, World } from "../register-file.ts";

const PAGE = 4096n;
const MOST_PAGES = 64;

/** Good for one instant: pages are kept. */
export class StackMemory {
  private readonly debuggee: Debuggee;
  private readonly world: World;
  private readonly registers: RegisterFile;
  private readonly pages = new Map<bigint, Uint8Array>();

  constructor(debuggee: Debuggee, world: World, registers: RegisterFile) {
    this.debuggee = debuggee;
    this.world = world;
    this.registers = registers;
  }

  /** Undefined where any of the bytes cannot be read. */
  read(address: bigint, length: number): Uint8Array | undefined {
    const start = BigInt.asUintN(64, address);
    const offset = Number(start % PAGE);
    if (offset + length > Number(PAGE)) {
      const bytes = this.debuggee.readLinear(this.world, start, length);
      return bytes.length === length ? bytes : undefined;
    }
    const page = this.page(start - BigInt(offset));
    return offset + length <= page.length ? page.subarray(offset, offset + length) : undefined;
  }

  word(address: bigint, bytes: number): bigint | undefined {
    const read = this.read(address, bytes);
    return read && fromBytes(read);
  }

  isReadable(address: bigint): boolean {
    return this.read(address, 1) !== undefined;
  }

  /** Linear address of an offset in the stack segment, as code of that size uses it. */
  stackAddress(offset: bigint, bits: number): bigint {
    if (bits === 64) return BigInt.asUintN(64, offset);
    const ss = this.registers.segment("ss");
    const isBig = ((ss?.attributes ?? 0) & Attribute.big) !== 0;
    return BigInt.asUintN(32, (ss?.base ?? 0n) + BigInt.asUintN(isBig ? 32 : 16, offset));
  }

  private page(start: bigint): Uint8Array {
    const known = this.pages.get(start);
    if (known) return known;
    if (this.pages.size >= MOST_PAGES) this.pages.clear();
    const page = this.debuggee.readLinear(this.world, start, Number(PAGE));
    this.pages.set(start, page);
    return page;
  }
}
