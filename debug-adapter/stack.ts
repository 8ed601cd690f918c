/** One call stack across worlds: the running world's frames, a label, and the other world's. */
import type { Debuggee } from "./debuggee.ts";
import { exitTitle } from "./exit-log.ts";
import { clientLocation, type Image } from "./images.ts";
import {
  codeBits,
  linearOf,
  type RegisterFile,
  registerByName,
  type World,
} from "./register-file.ts";
import { type FrameState, fromBytes } from "./symbols/location.ts";
import { REGISTERS } from "./symbols/registers.ts";
import type { SourceLocation } from "./symbols/source-index.ts";
import type { Variable } from "./symbols/variable.ts";
import { hex } from "./text.ts";

export interface CodeFrame {
  readonly kind: "code";
  readonly world: World;
  readonly name: string;
  /** Linear address; of the call's return in frames that made a call. */
  readonly pc: bigint;
  readonly location: SourceLocation | undefined;
  readonly image: Image | undefined;
  readonly state: FrameState;
  readonly variables: readonly Variable[];
  /** Value of the stack pointer at the call (CFA); identifies the machine frame. */
  readonly base: bigint | undefined;
  /** Registers of the world's innermost frame. */
  readonly registers: RegisterFile;
  /** 0 is the innermost machine frame of its world; inlined calls share it. */
  readonly depth: number;
}

export interface LabelFrame {
  readonly kind: "label";
  readonly name: string;
}

export type Frame = CodeFrame | LabelFrame;

const MAX_FRAMES = 200;
const MAX_FRAME_BYTES = 0x10000n;

/** `inlineDepth`: how many source frames of the innermost machine frame are entered (all if missing). */
export function callStack(debuggee: Debuggee, inlineDepth?: number): Frame[] {
  const { world, exits, spaces } = debuggee;
  const running = worldFrames(debuggee, world);
  const innermost = running.filter((frame) => frame.depth === 0).length;
  const frames: Frame[] = running.slice(Math.max(0, innermost - (inlineDepth ?? innermost)));
  if (spaces.vmcb === undefined) return frames;
  const other = world === "host" ? "guest" : "host";
  const last = exits.last;
  const title = last === undefined ? undefined : exitTitle(last, debuggee.machine);
  if (world === "host") frames.push({ kind: "label", name: title ?? "#VMEXIT" });
  else {
    const after = title === undefined ? "" : ` after ${title}`;
    frames.push({ kind: "label", name: `VMRUN${after}` });
  }
  frames.push(...worldFrames(debuggee, other));
  return frames;
}

/** Frames of one world, innermost first; none for the guest before the first VMRUN. */
export function worldFrames(debuggee: Debuggee, world: World, limit = MAX_FRAMES): CodeFrame[] {
  const registers = debuggee.registers(world);
  if (registers === undefined) return [];
  return new StackWalk(debuggee, world, registers, limit).frames();
}

/** One machine frame on the way: where it is and what is known of its registers. */
interface Level {
  /** Linear address at which it goes on. */
  readonly pc: bigint;
  /** Whether pc is behind a call, so that pc - 1 belongs to the frame. */
  readonly isCaller: boolean;
  readonly get: (register: string) => bigint | undefined;
}

class StackWalk {
  private readonly debuggee: Debuggee;
  private readonly world: World;
  private readonly registers: RegisterFile;
  private readonly limit: number;

  constructor(debuggee: Debuggee, world: World, registers: RegisterFile, limit: number) {
    this.debuggee = debuggee;
    this.world = world;
    this.registers = registers;
    this.limit = limit;
  }

  frames(): CodeFrame[] {
    const { registers } = this;
    const frames: CodeFrame[] = [];
    let level: Level | undefined = {
      pc: linearOf(registers, registers.get("rip") ?? 0n),
      isCaller: false,
      get: (name) => registerByName(registers, name),
    };
    for (let depth = 0; level !== undefined && frames.length < this.limit; depth++) {
      const { caller, base } = this.unwind(level);
      frames.push(...this.framesOf(level, base, depth));
      level = caller;
    }
    return frames.slice(0, this.limit);
  }

  private stateOf(level: Level, image: Image | undefined): FrameState {
    const names = image?.symbols.registers.names ?? REGISTERS.x86_64.names;
    return {
      register: (number) => level.get(names[number] ?? "-"),
      readMemory: (address, length) => {
        const bytes = this.debuggee.readLinear(this.world, address, length);
        return bytes.length === length ? bytes : undefined;
      },
      slide: image?.slide,
    };
  }

  private framesOf(level: Level, base: bigint | undefined, depth: number): CodeFrame[] {
    const { world, registers } = this;
    const lookup = level.isCaller ? level.pc - 1n : level.pc;
    const image = this.debuggee.images.at(world, lookup);
    const state = this.stateOf(level, image);
    const common = {
      kind: "code",
      world,
      pc: level.pc,
      image,
      state,
      base,
      registers,
      depth,
    } as const;
    const sources = image?.symbols.framesAt(lookup) ?? [];
    if (image !== undefined && sources.length > 0) {
      return sources.map(({ name, location, variables }) => ({
        ...common,
        name,
        location: location && clientLocation(image, location),
        variables,
      }));
    }
    const name = this.debuggee.images.nameOf(world, lookup) ?? this.addressText(level);
    const location = this.debuggee.images.sourceAt(world, lookup);
    return [{ ...common, name, location, variables: [] }];
  }

  /** "0x7c12", or "f000:fff0" where the code segment matters. */
  private addressText(level: Level): string {
    const base = this.registers.segment("cs")?.base ?? 0n;
    if (codeBits(this.registers) === 64 || base === 0n || level.isCaller) return hex(level.pc);
    const selector = this.registers.segment("cs")?.selector ?? 0;
    return `${selector.toString(16).padStart(4, "0")}:${(level.pc - base).toString(16)}`;
  }

  private unwind(level: Level): { caller: Level | undefined; base: bigint | undefined } {
    const lookup = level.isCaller ? level.pc - 1n : level.pc;
    const image = this.debuggee.images.at(this.world, lookup);
    if (image !== undefined) {
      const found = image.symbols.unwind(lookup, this.stateOf(level, image));
      if (found.kind === "end") return { caller: undefined, base: undefined };
      if (found.kind === "caller") {
        const names = image.symbols.registers.names;
        const get = (name: string) => {
          const number = names.indexOf(name);
          return number < 0 ? undefined : found.state.register(number);
        };
        const caller = { pc: found.pc, isCaller: !found.isSignalFrame, get };
        return { caller: found.pc === 0n ? undefined : caller, base: found.cfa };
      }
    }
    return this.byFramePointer(level);
  }

  /** The frame pointer chain, as far as it looks like one. */
  private byFramePointer(level: Level): { caller: Level | undefined; base: bigint | undefined } {
    const nothing = { caller: undefined, base: undefined };
    const word = codeBits(this.registers) / 8;
    const [pointer, stack] = [level.get("rbp"), level.get("rsp")];
    if (word < 4 || pointer === undefined || stack === undefined) return nothing;
    if (pointer < stack || pointer > stack + MAX_FRAME_BYTES || pointer % BigInt(word) !== 0n) {
      return nothing;
    }
    const bytes = this.debuggee.readLinear(this.world, pointer, 2 * word);
    if (bytes.length < 2 * word) return nothing;
    const saved = fromBytes(bytes.subarray(0, word));
    const pc = fromBytes(bytes.subarray(word));
    const base = pointer + BigInt(2 * word);
    if (pc === 0n || this.debuggee.readLinear(this.world, pc, 1).length === 0) {
      return { caller: undefined, base };
    }
    const known = new Map([
      ["rip", pc],
      ["rsp", base],
      ["rbp", saved],
    ]);
    return { caller: { pc, isCaller: true, get: (name) => known.get(name) }, base };
  }
}
