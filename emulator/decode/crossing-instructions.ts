/** Instructions that reach into the next page, which no code page keeps: decoded once for the bytes that they have. */

import type { PhysicalAddress } from "../vcpu.ts";
import type { CodeSize, DecodeFailure, Decoder } from "./decoder.ts";
import type { Instruction } from "./instruction.ts";

interface Crossing {
  readonly code: CodeSize;
  /** From the instruction's first on, with what followed it when it was decoded. */
  readonly bytes: Uint8Array;
  readonly instruction: Instruction;
}

/** A page of code has one or two: that many are those of a kernel. */
const MOST = 4096;

export class CrossingInstructions {
  private readonly decoder: Decoder;
  /** By the host-physical address of the first byte. */
  private readonly known = new Map<PhysicalAddress, Crossing>();

  constructor(decoder: Decoder) {
    this.decoder = decoder;
  }

  /** Whether an instruction that begins with all that is left of its page goes on in the next: false if not known. */
  goesOn(address: PhysicalAddress, code: CodeSize, start: Uint8Array): boolean {
    const known = this.known.get(address);
    return known?.code === code && isSame(known.bytes, start, start.length);
  }

  /** As Decoder.decode, of bytes of both pages. */
  decode(address: PhysicalAddress, code: CodeSize, bytes: Uint8Array): Instruction | DecodeFailure {
    const known = this.known.get(address);
    if (known?.code === code && isSame(known.bytes, bytes, known.instruction.length))
      return known.instruction;
    const instruction = this.decoder.decode(bytes, code);
    if (typeof instruction === "string") return instruction;
    if (this.known.size >= MOST) this.known.clear();
    this.known.set(address, { code, bytes, instruction });
    return instruction;
  }
}

function isSame(a: Uint8Array, b: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[i] !== b[i]) return false;
  return true;
}
