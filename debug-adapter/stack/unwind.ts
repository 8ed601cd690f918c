/** Finds the caller of a machine frame: by the image's tables, by frame pointer, by scan. */

import { type FrameState, fromBytes, type KeptAt } from "../../symbols/location.ts";
import { REGISTERS } from "../../symbols/registers.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Image } from "../images.ts";
import type { FrameCertainty } from "../protocol.ts";
import type { RegisterFile, World } from "../register-file.ts";
import { type InterruptFrame, InterruptFrames } from "./interrupt-frame.ts";
import { type Interruption, leastSure, lookupOf, type MachineFrame } from "./machine-frame.ts";
import { isBehindCall, isReturnInto } from "./return-address.ts";
import { StackMemory } from "./stack-memory.ts";

export type Outer =
  | { readonly kind: "caller"; readonly caller: MachineFrame; readonly base: bigint | undefined }
  /** The outermost frame; `problem` is a phrase where the stack is damaged rather than at its end. */
  | { readonly kind: "end"; readonly base?: bigint; readonly problem?: string };

const MAX_FRAME_BYTES = 0x10000n;
const SCANNED_WORDS = 1024;
/** An interrupt frame is looked for this far below the frame that RBP points at. */
const NEAR_WORDS = 64;
const MASK = (1n << 64n) - 1n;

export class Unwinding {
  readonly memory: StackMemory;
  private readonly debuggee: Debuggee;
  private readonly world: World;
  private readonly interruptFrames: InterruptFrames;

  constructor(debuggee: Debuggee, world: World, registers: RegisterFile) {
    this.debuggee = debuggee;
    this.world = world;
    this.memory = new StackMemory(debuggee, world, registers);
    this.interruptFrames = new InterruptFrames(this.memory, registers);
  }

  /** Never throws; the caller is always further out on its stack, or on another one. */
  outerOf(frame: MachineFrame): Outer {
    const image = this.debuggee.images.at(this.world, lookupOf(frame));
    const byTables = image && this.byTables(frame, image);
    if (byTables) return byTables;
    const sp = frame.get("rsp");
    if (sp === undefined) return { kind: "end" };
    const word = frame.code.bits / 8;
    const stack = this.memory.stackAddress(sp, frame.code.bits);
    if (this.memory.word(stack, word) === undefined) {
      return { kind: "end", problem: `its stack at 0x${stack.toString(16)} cannot be read` };
    }
    return (
      this.interrupted(frame, stack, NEAR_WORDS) ??
      this.byFramePointer(frame, stack) ??
      this.byScan(frame, stack) ?? { kind: "end" }
    );
  }

  /** The registers of a frame as the image's tables and locations ask for them. */
  stateOf(frame: MachineFrame, image: Image | undefined, readMemory = this.direct): FrameState {
    const { names } = image?.symbols.registers ?? REGISTERS.x86_64;
    return {
      register: (number) => frame.get(names[number] ?? "-"),
      keptAt: (number) => frame.keptAt?.(names[number] ?? "-"),
      readMemory,
      slide: image?.slide,
    };
  }

  /** Frames outlive writes to memory, so they read it anew. */
  private readonly direct = (address: bigint, length: number): Uint8Array | undefined => {
    const bytes = this.debuggee.readLinear(this.world, address, length);
    return bytes.length === length ? bytes : undefined;
  };

  private byTables(frame: MachineFrame, image: Image): Outer | undefined {
    const read = (address: bigint, length: number) => this.memory.read(address, length);
    const found = image.symbols.unwind(lookupOf(frame), this.stateOf(frame, image, read));
    if (found.kind === "end") return { kind: "end" };
    if (found.kind === "unavailable") return undefined;
    const { pc, cfa, state, isSignalFrame } = found;
    if (pc === 0n) return { kind: "end", base: cfa };
    const sp = frame.get("rsp");
    if (!isSignalFrame && sp !== undefined && cfa <= sp) {
      return { kind: "end", problem: `its caller's stack at 0x${cfa.toString(16)} is not above` };
    }
    const { names } = image.symbols.registers;
    const get = (name: string): bigint | undefined => {
      const number = numberOf(names, name);
      return number < 0 ? undefined : state.register(number);
    };
    const keptAt = (name: string): KeptAt | undefined => {
      const number = numberOf(names, name);
      return number < 0 ? undefined : state.keptAt?.(number);
    };
    const selector = isSignalFrame ? get("cs") : undefined;
    const code = selector === undefined ? undefined : this.interruptFrames.codeSegment(selector);
    const caller: MachineFrame = {
      pc,
      isCaller: !isSignalFrame,
      certainty: frame.certainty,
      code: code ?? frame.code,
      ring: isSignalFrame ? code && code.selector & 3 : frame.ring,
      interruption: isSignalFrame ? interruptionOf(pc, get) : undefined,
      get,
      keptAt,
    };
    return { kind: "caller", caller, base: cfa };
  }

  /** An interrupt frame above `stack`: what was interrupted is the caller. */
  private interrupted(frame: MachineFrame, stack: bigint, words: number): Outer | undefined {
    const width = frame.code.bits / 8;
    const pointer = frame.get("rbp") ?? MASK;
    for (let i = 0; i < words; i++) {
      const at = stack + BigInt(i * width);
      if (at >= pointer && pointer >= stack) return undefined;
      const found = this.interruptFrames.at(at, frame.ring ?? 0);
      if (found) return this.atInterrupt(frame, found, at);
    }
    return undefined;
  }

  private atInterrupt(frame: MachineFrame, found: InterruptFrame, at: bigint): Outer {
    const known = new Map([
      ["rip", found.rip],
      ["rsp", found.stack],
      ["rflags", found.rflags],
    ]);
    const caller: MachineFrame = {
      pc: found.pc,
      isCaller: false,
      certainty: leastSure(frame.certainty, "scanned"),
      code: found.code,
      ring: found.ring,
      interruption: { stack: found.stack, isSyscall: false },
      get: (name) => known.get(name),
      keptAt: (name) => (name === "rip" ? at : undefined),
    };
    return { kind: "caller", caller, base: at };
  }

  /** The frame pointer chain, as far as it looks like one. */
  private byFramePointer(frame: MachineFrame, stack: bigint): Outer | undefined {
    const word = frame.code.bits / 8;
    const offset = frame.get("rbp");
    if (word < 4 || offset === undefined) return undefined;
    const pointer = this.memory.stackAddress(offset, frame.code.bits);
    if (pointer < stack || pointer > stack + MAX_FRAME_BYTES || pointer % BigInt(word) !== 0n) {
      return undefined;
    }
    const bytes = this.memory.read(pointer, 2 * word);
    if (bytes === undefined) return undefined;
    const saved = fromBytes(bytes.subarray(0, word));
    const pc = fromBytes(bytes.subarray(word));
    const base = pointer + BigInt(2 * word);
    if (pc === 0n) return { kind: "end", base };
    const linear = this.linear(frame, pc);
    if (!isBehindCall(this.memory, linear)) return undefined;
    if (saved !== 0n && saved <= pointer && saved > pointer - MAX_FRAME_BYTES) {
      const problem = `its frame pointer 0x${pointer.toString(16)} leads back to 0x${saved.toString(16)}`;
      return { kind: "end", base, problem };
    }
    const rsp = offset + BigInt(2 * word);
    return this.returning(frame, { pc: linear, rsp, rbp: saved, base }, "framePointer");
  }

  /** The nearest word that is an interrupt frame, or a return address into a known program. */
  private byScan(frame: MachineFrame, stack: bigint): Outer | undefined {
    const width = frame.code.bits / 8;
    const { memory, debuggee, world } = this;
    for (let i = 0; i < SCANNED_WORDS; i++) {
      const at = stack + BigInt(i * width);
      const word = memory.word(at, width);
      if (word === undefined) return undefined;
      if (word === 0n) continue;
      const found = this.interruptFrames.at(at, frame.ring ?? 0);
      if (found) return this.atInterrupt(frame, found, at);
      const pc = this.linear(frame, word);
      if (!isReturnInto(debuggee, world, memory, pc)) continue;
      const rsp = (frame.get("rsp") ?? 0n) + BigInt((i + 1) * width);
      const rbp = frame.get("rbp");
      const base = at + BigInt(width);
      const isKept = rbp !== undefined && memory.stackAddress(rbp, frame.code.bits) >= base;
      return this.returning(frame, { pc, rsp, rbp: isKept ? rbp : undefined, base }, "scanned");
    }
    return undefined;
  }

  private linear({ code }: MachineFrame, offset: bigint): bigint {
    return code.bits === 64 ? offset : BigInt.asUintN(32, code.base + offset);
  }

  private returning(
    frame: MachineFrame,
    to: { pc: bigint; rsp: bigint; rbp: bigint | undefined; base: bigint },
    certainty: FrameCertainty,
  ): Outer {
    const { pc, rsp, rbp, base } = to;
    const known = new Map([
      ["rip", pc - frame.code.base],
      ["rsp", rsp],
      ["rbp", rbp],
    ]);
    const caller: MachineFrame = {
      pc,
      isCaller: true,
      certainty: leastSure(frame.certainty, certainty),
      code: frame.code,
      ring: frame.ring,
      interruption: undefined,
      get: (name) => known.get(name) ?? known.get(name.replace(/^e/, "r")),
    };
    return { kind: "caller", caller, base };
  }
}

/** DWARF number of a register in an image's numbering, whose names are 64-bit or 32-bit ones. */
function numberOf(names: readonly string[], name: string): number {
  const same = names.indexOf(name);
  if (same >= 0) return same;
  if (/^[er]/.test(name)) return names.indexOf((name[0] === "r" ? "e" : "r") + name.slice(1));
  return -1;
}

/** After SYSCALL, RCX and R11 hold the return address and RFLAGS (APM volume 3, SYSCALL). */
function interruptionOf(pc: bigint, get: (name: string) => bigint | undefined): Interruption {
  const rflags = get("rflags");
  const isSyscall = get("rcx") === pc && rflags !== undefined && get("r11") === rflags;
  return { stack: get("rsp"), isSyscall };
}
