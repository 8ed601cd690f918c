/** Steps by line or instruction in one world: calls, interrupts and the other world are run over. */
import type { Debuggee } from "./debuggee.ts";
import type { Goal, Stop } from "./execution.ts";
import type { Image } from "./images.ts";
import type { World } from "./register-file.ts";
import type { DecodedInstruction, Disassembler } from "./services.ts";
import { worldFrames } from "./stack.ts";
import type { SourceLocation } from "./symbols/source-index.ts";
import { UserError } from "./text.ts";

export interface StepRequest {
  readonly kind: "in" | "over" | "out";
  readonly granularity: "line" | "instruction";
  /** Of the stop from which it starts. */
  readonly inlineDepth?: number | undefined;
}

/** What the stepper waits for. */
type Mode =
  | { readonly kind: "single" }
  /** The instruction at `linear` in the starting world, with the stack at or above `stack`. */
  | {
      readonly kind: "place";
      readonly linear: bigint;
      readonly stack: bigint;
      readonly ends: boolean;
    }
  | { readonly kind: "world"; readonly ends: boolean };

interface Line {
  readonly path: string;
  readonly line: number;
  /** Start of its function. */
  readonly owner: bigint | undefined;
}

const MAX_INSTRUCTION = 15;
const STEPPED: Stop = { reason: "step", description: "Paused after step" };

export class Stepper implements Goal {
  private readonly debuggee: Debuggee;
  private readonly disassembler: Disassembler;
  private readonly request: StepRequest;
  private readonly world: World;
  private readonly guest: number | undefined;
  private readonly startLine: Line | undefined;
  /** How many source frames the starting machine frame has. */
  private readonly inlineDepth: number | undefined;
  /** The stack pointer is above this once the starting function has returned. */
  private readonly frameBase: bigint | undefined;
  private mode: Mode = { kind: "single" };
  private hasArrived = false;
  private before: { linear: bigint; stack: bigint; instruction: DecodedInstruction | undefined };
  /** An exception or interrupt was delivered; where the CPU was then. */
  private delivered: { linear: bigint; stack: bigint; external: boolean } | undefined;
  private breakpoint: bigint | undefined;
  /** What is known of addresses that the step came by: loops come by them often. */
  private readonly lines = new Map<bigint, Line | undefined>();
  private readonly decoded = new Map<bigint, DecodedInstruction | undefined>();

  /** Throws a UserError where there is nothing to step out to. */
  constructor(debuggee: Debuggee, disassembler: Disassembler, request: StepRequest) {
    this.debuggee = debuggee;
    this.disassembler = disassembler;
    this.request = request;
    this.world = debuggee.world;
    this.guest = debuggee.spaces.guest;
    const start = debuggee.linearRip;
    const image = debuggee.images.at(this.world, start);
    const depth = image?.symbols.framesAt(start).length || undefined;
    this.inlineDepth = request.inlineDepth ?? depth;
    this.startLine = request.granularity === "line" ? this.lineAt(debuggee.linearRip) : undefined;
    const frames = worldFrames(debuggee, this.world, 64);
    this.frameBase = frames[0]?.base;
    this.before = this.look();
    if (request.kind !== "out") return;
    const caller = frames.find((each) => each.depth === 1);
    if (caller !== undefined && this.frameBase !== undefined) {
      this.wait({ kind: "place", linear: caller.pc, stack: this.frameBase, ends: true });
    } else if (this.world === "guest") this.mode = { kind: "world", ends: true };
    else throw new UserError("The outermost frame of the host has no caller to step out to.");
  }

  get isSingle(): boolean {
    return this.mode.kind === "single";
  }

  onExecute(linear: bigint, guest: boolean): boolean {
    const { mode } = this;
    if (mode.kind !== "place" || linear !== mode.linear || guest !== (this.world === "guest")) {
      return false;
    }
    this.hasArrived = this.debuggee.machine.state.rsp >= mode.stack;
    return this.hasArrived;
  }

  onExit(): boolean {
    const { mode } = this;
    if (mode.kind !== "world" || (this.world === "guest" && !mode.ends)) return false;
    this.hasArrived = true;
    return true;
  }

  onVmrun(): boolean {
    if (this.mode.kind !== "world" || this.world !== "guest" || this.mode.ends) return false;
    if (this.debuggee.spaces.guest !== this.guest) return false;
    this.hasArrived = true;
    return true;
  }

  onException(external: boolean): void {
    const { debuggee } = this;
    if (debuggee.world !== this.world || this.mode.kind === "place") return;
    const stack = debuggee.machine.state.rsp;
    this.delivered ??= { linear: debuggee.linearRip, stack, external };
  }

  reached(): Stop | undefined {
    if (this.mode.kind === "single") return this.afterInstruction();
    if (!this.hasArrived) return undefined;
    const { ends } = this.mode;
    this.hasArrived = false;
    this.stopWaiting();
    return ends ? STEPPED : this.afterInstruction();
  }

  end(): void {
    this.stopWaiting();
  }

  /** One instruction ran, or what interrupted it has come back. */
  private afterInstruction(): Stop | undefined {
    const { debuggee, before } = this;
    if (debuggee.world !== this.world) {
      this.mode = { kind: "world", ends: false };
      return undefined;
    }
    const { linearRip: linear } = debuggee;
    const stack = debuggee.machine.state.rsp;
    const { delivered } = this;
    this.delivered = undefined;
    if (delivered !== undefined) {
      if (!delivered.external && this.request.kind === "in") return STEPPED;
      // INT returns behind itself, everything else to where the CPU was.
      const isInt = before.instruction?.mnemonic.startsWith("int") && !delivered.external;
      const length = isInt ? (before.instruction?.length ?? 0) : 0;
      const at = delivered.linear + BigInt(length);
      this.wait({ kind: "place", linear: at, stack: delivered.stack, ends: false });
      return undefined;
    }
    if (linear === before.linear && stack === before.stack) return undefined;
    if (this.hasCalled(linear, stack)) return this.afterCall(linear);
    this.before = this.look();
    return this.isDone(linear, stack) ? this.steppedTo(linear) : undefined;
  }

  private hasCalled(linear: bigint, stack: bigint): boolean {
    const { instruction, linear: from, stack: before } = this.before;
    if (instruction?.flow !== "call") return false;
    if (!instruction.mnemonic.startsWith("sys")) return stack < before;
    return linear !== from + BigInt(instruction.length);
  }

  /** A call was made: it is run over, or its function is entered behind its prologue. */
  private afterCall(linear: bigint): Stop | undefined {
    const { before, request } = this;
    const enters = request.kind === "in";
    if (enters && request.granularity === "instruction") return STEPPED;
    const body = enters ? this.bodyAt(linear) : undefined;
    if (body !== undefined) {
      if (body === linear) return STEPPED;
      this.wait({ kind: "place", linear: body, stack: 0n, ends: true });
      return undefined;
    }
    const next = before.linear + BigInt(before.instruction?.length ?? 0);
    this.wait({ kind: "place", linear: next, stack: before.stack, ends: false });
    return undefined;
  }

  /** At the start of an inlined call, stepping over stays outside of it. */
  private steppedTo(linear: bigint): Stop {
    const image = this.debuggee.images.at(this.world, linear);
    const { inlineDepth, startLine } = this;
    const isInside = image && startLine && this.callerOfInlined(image, linear) !== undefined;
    return isInside && inlineDepth !== undefined ? { ...STEPPED, inlineDepth } : STEPPED;
  }

  private isDone(linear: bigint, stack: bigint): boolean {
    const { startLine, frameBase } = this;
    if (startLine === undefined) return true;
    const here = this.lineAt(linear);
    const hasReturned = frameBase !== undefined && stack >= frameBase;
    if (here === undefined) return false;
    if (hasReturned || here.owner !== startLine.owner) return true;
    if (here.line === startLine.line && here.path === startLine.path) return false;
    const previous = this.lineAt(linear - 1n);
    return previous?.line !== here.line || previous.path !== here.path;
  }

  private lineAt(linear: bigint): Line | undefined {
    if (!this.lines.has(linear)) this.lines.set(linear, this.findLine(linear));
    return this.lines.get(linear);
  }

  private findLine(linear: bigint): Line | undefined {
    const image = this.debuggee.images.at(this.world, linear);
    const found = image?.symbols.sourceAt(linear);
    if (image === undefined || found === undefined) return undefined;
    const owner = image.symbols.functionAt(linear)?.start;
    const { path, line } = this.callerOfInlined(image, linear) ?? found;
    return { path, line, owner };
  }

  /** Stepping over treats what is inlined below the starting frame as part of the calling line. */
  private callerOfInlined(image: Image, linear: bigint): SourceLocation | undefined {
    if (this.request.kind !== "over" || this.inlineDepth === undefined) return undefined;
    const chain = image.symbols.framesAt(linear);
    return chain.length > this.inlineDepth
      ? chain[chain.length - this.inlineDepth]?.location
      : undefined;
  }

  /** Where the function that starts at `linear` has its first statement, if it has source. */
  private bodyAt(linear: bigint): bigint | undefined {
    const image = this.debuggee.images.at(this.world, linear);
    if (image?.symbols.sourceAt(linear) === undefined) return undefined;
    const name = image.symbols.functionAt(linear)?.name;
    const places = name === undefined ? [] : image.symbols.functionsNamed(name);
    return places.find((place) => place.address === linear)?.body ?? linear;
  }

  private look(): typeof this.before {
    const { debuggee } = this;
    const linear = debuggee.linearRip;
    if (!this.decoded.has(linear)) {
      const bytes = debuggee.readLinear(this.world, linear, MAX_INSTRUCTION);
      const [instruction] = this.disassembler.decode(bytes, linear, debuggee.codeBits, 1);
      this.decoded.set(linear, instruction);
    }
    const instruction = this.decoded.get(linear);
    return { linear, stack: debuggee.machine.state.rsp, instruction };
  }

  private wait(mode: Mode & { kind: "place" }): void {
    this.stopWaiting();
    this.mode = mode;
    this.breakpoint = mode.linear;
    this.debuggee.machine.cpu.engine.addBreakpoint(mode.linear);
  }

  private stopWaiting(): void {
    this.mode = { kind: "single" };
    if (this.breakpoint === undefined) return;
    this.debuggee.machine.cpu.engine.removeBreakpoint(this.breakpoint);
    this.breakpoint = undefined;
  }
}
