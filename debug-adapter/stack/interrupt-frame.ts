/** Recognises what the CPU pushes at an interrupt or exception (APM volume 2, sections 8.2.9, 8.7, 8.9). */
import { CR0, EFER } from "../../emulator/index.ts";
import type { RegisterFile } from "../register-file.ts";
import type { CodeBits } from "../services.ts";
import type { CodeSegment } from "./machine-frame.ts";
import type { StackMemory } from "./stack-memory.ts";

export interface InterruptFrame {
  readonly code: CodeSegment;
  readonly ring: number;
  /** Linear. */
  readonly pc: bigint;
  readonly rip: bigint;
  readonly rflags: bigint;
  /** The interrupted stack pointer. */
  readonly stack: bigint;
}

/** RFLAGS bits that are always 0 (3, 5, 15, 22 and up), and bit 1, always 1. */
const FLAGS_ZERO = ~0x3f_ffffn | 0x8028n;
const FLAGS_ONE = 2n;

const PRESENT_CODE = 0x98;
const LONG = 1 << 5;
const BIG = 1 << 6;

export class InterruptFrames {
  private readonly memory: StackMemory;
  private readonly registers: RegisterFile;
  /** Size of what is pushed: 8 in long mode, whatever was interrupted. */
  private readonly width: 2 | 4 | 8;

  constructor(memory: StackMemory, registers: RegisterFile) {
    this.memory = memory;
    this.registers = registers;
    const isLong = ((registers.get("efer") ?? 0n) & EFER.LMA) !== 0n;
    const isProtected = ((registers.get("cr0") ?? 0n) & CR0.PE) !== 0n;
    this.width = isLong ? 8 : isProtected ? 4 : 2;
  }

  /** The frame whose return address is at `address`; `ring` is the handler's. */
  at(address: bigint, ring: number): InterruptFrame | undefined {
    const { width } = this;
    if (width === 2) return undefined; // any three words could be one
    const words: bigint[] = [];
    for (let i = 0; i < 5; i++) {
      const word = this.memory.word(address + BigInt(i * width), width);
      if (word === undefined) break;
      words.push(word);
    }
    const [rip, selector, rflags, stack, ss] = words;
    if (rip === undefined || selector === undefined || rflags === undefined) return undefined;
    if ((rflags & FLAGS_ZERO) !== 0n || (rflags & FLAGS_ONE) === 0n) return undefined;
    const code = this.codeSegment(selector);
    if (code === undefined || (code.selector & 3) < ring) return undefined;
    const outer = code.selector & 3;
    const pc = code.bits === 64 ? rip : BigInt.asUintN(32, code.base + rip);
    if (!this.memory.isReadable(pc)) return undefined;
    if (width === 4 && outer === ring) {
      return { code, ring: outer, pc, rip, rflags, stack: address + 12n };
    }
    if (stack === undefined || ss === undefined || !isStackSelector(ss, outer)) return undefined;
    return { code, ring: outer, pc, rip, rflags, stack };
  }

  /** The present code segment of a selector in the GDT. */
  codeSegment(selector: bigint): CodeSegment | undefined {
    const gdt = this.registers.segment("gdtr");
    const number = Number(selector);
    if (gdt === undefined || number > 0xffff || number < 8 || (number & 4) !== 0) return undefined;
    const offset = number & ~7;
    if (offset + 7 > gdt.limit) return undefined;
    const bytes = this.memory.read(gdt.base + BigInt(offset), 8);
    if (bytes === undefined) return undefined;
    const [access, flags] = [bytes[5] ?? 0, bytes[6] ?? 0];
    if ((access & PRESENT_CODE) !== PRESENT_CODE) return undefined;
    const bits: CodeBits =
      this.width === 8 && (flags & LONG) !== 0 ? 64 : (flags & BIG) !== 0 ? 32 : 16;
    const low = (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8) | ((bytes[4] ?? 0) << 16);
    const base = bits === 64 ? 0n : BigInt(low) | (BigInt(bytes[7] ?? 0) << 24n);
    return { bits, base, selector: number };
  }
}

/** In long mode SS may be null outside ring 3. */
function isStackSelector(selector: bigint, ring: number): boolean {
  if (selector > 0xffffn || Number(selector & 3n) !== ring) return false;
  return selector >= 8n || ring < 3;
}
