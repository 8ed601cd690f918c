/** Steps by line or instruction: calls, interrupts and, by policy, the other world are run over. */
import { LONGEST_INSTRUCTION } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Delivery } from "../delivery-log.ts";
import type { StepPolicy } from "../protocol.ts";
import type { World } from "../register-file.ts";
import type { Goal, Stop } from "../runner.ts";
import type { DecodedInstruction, Disassembler } from "../services.ts";
import { type CodeFrame, worldFrames } from "../stack.ts";
import { UserError } from "../text.ts";
import { HandlerReturn, pushedRip } from "./handler-return.ts";
import { AwaitedPlaces, bodyPlace, type Place, returnPlace } from "./place.ts";
import { type StepLine, StepLines } from "./step-lines.ts";
import { StepLoop } from "./step-loop.ts";

export interface StepRequest {
  readonly kind: "in" | "over" | "out";
  readonly granularity: "line" | "instruction";
  readonly policy: StepPolicy;
  /** Of the stop from which it starts. */
  readonly inlineDepth?: number | undefined;
  /** Steps into the call at this address, and over all others. */
  readonly into?: bigint | undefined;
}

/** What the stepper waits for. */
type Mode =
  | { readonly kind: "single" }
  /** One of the places; `ends` says whether the step is done at the first. */
  | { readonly kind: "place"; readonly ends: boolean }
  /** A way out of a loop of the starting line, or an instruction in it that is stepped singly. */
  | { readonly kind: "loop" }
  /** The other world to come back to this one, or (`ends`) this one to be left. */
  | { readonly kind: "world"; readonly ends: boolean };

/** Where the instruction that runs next began. */
interface Before {
  readonly linear: bigint;
  readonly stack: bigint;
  readonly ring: number;
  readonly icount: number;
  readonly instruction: DecodedInstruction | undefined;
}

const SINGLE: Mode = { kind: "single" };
/** A step over a call that never returns ends where one of these many callers goes on. */
const AWAITED_CALLERS = 8;
const STEPPED: Stop = { reason: "step", description: "Paused after step" };

export class Stepper implements Goal {
  private readonly debuggee: Debuggee;
  private readonly disassembler: Disassembler;
  private readonly request: StepRequest;
  private readonly world: World;
  private readonly guest: number | undefined;
  private readonly lines: StepLines;
  private readonly startLine: StepLine | undefined;
  private readonly startRing: number;
  /** How many source frames of the starting machine frame are entered. */
  private readonly inlineDepth: number;
  /** The stack pointer is at or above this once the starting function has returned. */
  private readonly frameBase: bigint | undefined;
  private readonly places: AwaitedPlaces;
  private mode: Mode = SINGLE;
  private hasArrived = false;
  /** It arrived where an outer frame goes on, instead of where it waited for a return. */
  private isAtCaller = false;
  private readonly loop: StepLoop;
  private before: Before;
  private delivered: { place: Place; event: Delivery } | undefined;
  private following: HandlerReturn | undefined;
  /** Where the handler that runs now returns to. */
  private returning: Place | undefined;
  private callers: readonly Place[] | undefined;
  private readonly decoded = new Map<bigint, DecodedInstruction | undefined>();

  /** Throws a UserError where there is nothing to step out to. */
  constructor(debuggee: Debuggee, disassembler: Disassembler, request: StepRequest) {
    this.debuggee = debuggee;
    this.disassembler = disassembler;
    this.request = request;
    this.world = debuggee.world;
    this.guest = debuggee.spaces.guest;
    this.places = new AwaitedPlaces(debuggee, this.world);
    const start = debuggee.linearRip;
    const probe = new StepLines(debuggee, this.world, undefined);
    this.inlineDepth = request.inlineDepth ?? probe.depthAt(start);
    // Only a step into stops within calls that are inlined in the line.
    const flattens = (request.kind !== "in" || request.into !== undefined) && this.inlineDepth > 0;
    this.lines = flattens ? new StepLines(debuggee, this.world, this.inlineDepth) : probe;
    this.startLine = request.granularity === "line" ? this.lines.at(start) : undefined;
    this.startRing = debuggee.machine.state.cpl;
    this.before = this.look();
    const isOneInstruction = request.kind !== "out" && this.startLine === undefined;
    this.loop = new StepLoop(debuggee, this.world, {
      instructionAt: (linear) => this.instructionAt(linear),
      endsAt: (linear) => this.endsAt(linear),
      looksInto: (call) =>
        request.policy === "followCpu" ||
        (request.kind === "in" && (request.into ?? call) === call),
      forget: () => this.decoded.clear(),
      callers: () => this.outerPlaces(),
    });
    this.frameBase = isOneInstruction ? undefined : worldFrames(debuggee, this.world, 1)[0]?.base;
    if (request.kind === "out") this.startOut();
  }

  private startOut(): void {
    if (this.isInlined) return; // single steps, until the inlined call is left
    const [innermost, ...outer] = worldFrames(this.debuggee, this.world, 64);
    const caller = outer.find((each) => each.depth === 1);
    const place = caller && innermost && this.placeOf(caller, innermost.base);
    if (place) {
      this.wait(place, true);
      const slot = caller.lookup === caller.pc ? caller.keptAt("rip") : undefined;
      if (typeof slot === "bigint") this.follow(slot, place);
    } else if (this.world === "guest") this.mode = { kind: "world", ends: true };
    else throw new UserError("The outermost frame of the host has no caller to step out to.");
  }

  private get isInlined(): boolean {
    return this.inlineDepth > 1;
  }

  get isSingle(): boolean {
    return this.mode.kind === "single";
  }

  onExecute(linear: bigint, guest: boolean): boolean {
    const { mode, places, loop } = this;
    if (mode.kind !== "place" && mode.kind !== "loop") return false;
    const arrived = (mode.kind === "loop" ? loop : places).arrivedAt(linear, guest);
    if (arrived === undefined) return false;
    this.isAtCaller = arrived === "caller";
    this.hasArrived = true;
    return true;
  }

  onExit(): boolean {
    const { mode } = this;
    if (mode.kind === "single" || mode.kind === "loop") {
      return this.request.policy === "followCpu";
    }
    if (mode.kind !== "world" || (this.world === "guest" && !mode.ends)) return false;
    this.hasArrived = true;
    return true;
  }

  onVmrun(): boolean {
    const { mode } = this;
    if (mode.kind === "single" || mode.kind === "loop") {
      return this.request.policy === "followCpu";
    }
    if (mode.kind !== "world" || this.world !== "guest" || mode.ends) return false;
    if (this.debuggee.spaces.guest !== this.guest) return false;
    this.hasArrived = true;
    return true;
  }

  onException(event: Delivery): boolean {
    const { debuggee, mode } = this;
    if (debuggee.world !== this.world || mode.kind === "place") return false;
    if (mode.kind === "world" && mode.ends) return false;
    if (mode.kind === "loop" && !this.loop.isInside()) return false;
    if (this.delivered !== undefined) return false;
    const { rsp, cpl } = debuggee.machine.state;
    this.delivered = { place: returnPlace(debuggee, debuggee.linearRip, rsp, cpl), event };
    return true;
  }

  reached(): Stop | undefined {
    const { mode } = this;
    if (mode.kind === "single") return this.afterInstruction();
    if (mode.kind === "loop") return this.afterLoop();
    if (!this.hasArrived) {
      this.followHandler();
      return undefined;
    }
    const ends = mode.ends || this.isAtCaller;
    this.hasArrived = false;
    this.isAtCaller = false;
    this.stopWaiting();
    return ends ? STEPPED : this.afterInstruction();
  }

  end(): void {
    this.stopWaiting();
    this.loop.dispose();
  }

  /** One instruction ran, or what interrupted it has come back. */
  private afterInstruction(): Stop | undefined {
    const { debuggee, before, request } = this;
    if (debuggee.world !== this.world) {
      if (request.policy === "followCpu") return STEPPED;
      this.mode = { kind: "world", ends: false };
      return undefined;
    }
    if (this.delivered !== undefined) return this.afterDelivery();
    const { state, icount } = debuggee.machine;
    const linear = debuggee.linearRip;
    const stack = state.rsp;
    if (icount === before.icount && linear === before.linear && stack === before.stack) {
      return undefined;
    }
    // HLT is over when something wakes the CPU.
    if (state.halted !== 0) return undefined;
    if (this.isRepeating(linear)) return this.overRepeat();
    if (this.hasCalled(linear, stack)) return this.afterCall(linear);
    const isReturn = before.instruction?.flow === "return";
    this.before = this.look();
    if (this.isDone(linear, stack, isReturn)) return this.steppedTo(linear);
    if (this.isSingle && this.loop.enter(linear, before.linear)) this.mode = { kind: "loop" };
    return undefined;
  }

  /** The machine stood still, at a way out of the loop or for a reason of its own. */
  private afterLoop(): Stop | undefined {
    const { debuggee, delivered, hasArrived, isAtCaller, loop } = this;
    if (debuggee.world !== this.world) {
      return this.request.policy === "followCpu" ? STEPPED : undefined;
    }
    if (delivered !== undefined) {
      this.mode = SINGLE;
      const { linear, stack, ring } = delivered.place;
      this.before = this.lookAt(linear, stack.from, ring);
      return this.afterDelivery();
    }
    if (!hasArrived && !loop.hasChanged) return undefined;
    if (!hasArrived && !loop.isInside()) {
      loop.follow();
      return undefined;
    }
    this.hasArrived = false;
    this.isAtCaller = false;
    this.mode = SINGLE;
    if (isAtCaller) return STEPPED;
    this.before = this.look();
    const { linear, stack } = this.before;
    return this.isDone(linear, stack, false) ? this.steppedTo(linear) : undefined;
  }

  /** The CPU is at the first instruction of a handler: it is run over, or entered. */
  private afterDelivery(): Stop | undefined {
    const { delivered, before, request, debuggee } = this;
    if (delivered === undefined) return undefined;
    this.delivered = undefined;
    const { place, event } = delivered;
    const isSoftware = !event.external && event.name === undefined;
    const enters = request.kind === "in" && request.into === undefined && !event.external;
    if (enters && (isSoftware || request.granularity === "instruction")) return STEPPED;
    // INT n returns behind itself, everything else to where the CPU was.
    const isInt = !event.external && before.instruction?.mnemonic.startsWith("int");
    const skip = isInt ? (before.instruction?.length ?? 0) : 0;
    const back = { ...place, linear: place.linear + BigInt(skip) };
    this.wait(back, false);
    this.follow(pushedRip(debuggee, event), back);
    return undefined;
  }

  /** A handler that returns by the rip at `slot` is waited for at `back`, or where that comes to lead. */
  private follow(slot: bigint, back: Place): void {
    this.following = new HandlerReturn(this.debuggee, slot);
    this.returning = back;
  }

  /** The handler wrote another rip or stack to return to: that is waited for too. */
  private followHandler(): void {
    const { returning } = this;
    const changed = this.following?.takeChanged();
    if (changed === undefined || returning === undefined) return;
    const { linear, rsp = returning.stack.from, ring = returning.ring } = changed;
    this.places.set([returning, returnPlace(this.debuggee, linear, rsp, ring)]);
  }

  private isRepeating(linear: bigint): boolean {
    const { before, request } = this;
    if (linear !== before.linear || !before.instruction?.text.startsWith("rep")) return false;
    return request.kind !== "in" || request.granularity === "line";
  }

  /** The rest of a repeated string instruction runs at full speed. */
  private overRepeat(): undefined {
    const { linear, stack, ring, instruction } = this.before;
    const next = linear + BigInt(instruction?.length ?? 0);
    this.wait(returnPlace(this.debuggee, next, stack, ring), false);
    return undefined;
  }

  private hasCalled(linear: bigint, stack: bigint): boolean {
    const { instruction, linear: from, stack: before, ring } = this.before;
    if (instruction?.flow !== "call") return false;
    const next = from + BigInt(instruction.length);
    if (instruction.mnemonic.startsWith("sys")) {
      return linear !== next || this.debuggee.machine.state.cpl !== ring;
    }
    // A call of the next instruction, to learn its address, is none.
    return stack < before && linear !== next;
  }

  /** A call was made: it is run over, or its function is entered behind its prologue. */
  private afterCall(linear: bigint): Stop | undefined {
    const { before, request, debuggee } = this;
    const isTarget = request.into === before.linear;
    const enters = isTarget || (request.kind === "in" && request.into === undefined);
    if (enters && request.granularity === "instruction") return STEPPED;
    const body = enters ? this.lines.bodyAt(linear) : undefined;
    if (body === linear || (isTarget && body === undefined)) return STEPPED;
    if (body !== undefined) {
      this.wait(bodyPlace(debuggee, body), true);
      return undefined;
    }
    const { linear: from, stack, ring, instruction } = before;
    const back = from + BigInt(instruction?.length ?? 0);
    this.wait(returnPlace(debuggee, back, stack, ring), false, this.outerPlaces());
    return undefined;
  }

  /** At the start of an inlined call, stepping over stays outside of it. */
  private steppedTo(linear: bigint): Stop {
    const { inlineDepth, startLine, lines } = this;
    return startLine !== undefined && lines.isFlattened(linear)
      ? { ...STEPPED, inlineDepth }
      : STEPPED;
  }

  private isDone(linear: bigint, stack: bigint, isReturn: boolean): boolean {
    const { startLine, frameBase, lines, request } = this;
    if (this.debuggee.machine.state.cpl !== this.startRing) return true;
    const hasReturned = frameBase === undefined ? isReturn : stack >= frameBase;
    if (request.kind === "out") return hasReturned || this.endsAt(linear);
    if (startLine === undefined) return true;
    // Like gdb: a step that returns to code without lines ends there.
    if (lines.at(linear) === undefined) return hasReturned || this.leaveLineless();
    return hasReturned || this.endsAt(linear);
  }

  /** Whether the step is over at an instruction of the starting frame; true without a line. */
  private endsAt(linear: bigint): boolean {
    const { startLine, lines, request } = this;
    if (request.kind === "out") return lines.depthAt(linear) < this.inlineDepth;
    const here = lines.at(linear);
    if (here === undefined || startLine === undefined) return true;
    if (here.owner !== startLine.owner) return true;
    if (here.line === startLine.line && here.path === startLine.path) return false;
    return lines.beginsAt(linear);
  }

  /** A jump led to code without lines: it is run until the starting function's caller goes on. */
  private leaveLineless(): boolean {
    const [caller] = this.outerPlaces();
    if (caller === undefined) return true;
    this.wait(caller, true);
    return false;
  }

  private placeOf(caller: CodeFrame, base: bigint | undefined): Place | undefined {
    const stack = caller.registers.get("rsp") ?? base;
    if (stack === undefined) return undefined;
    return returnPlace(this.debuggee, caller.pc, stack, caller.ring ?? this.startRing);
  }

  /** Where the callers of the starting frame go on; looked for when it matters first. */
  private outerPlaces(): readonly Place[] {
    if (this.callers !== undefined) return this.callers;
    const { frameBase } = this;
    const places: Place[] = [];
    if (frameBase !== undefined) {
      const frames = worldFrames(this.debuggee, this.world, 4 * AWAITED_CALLERS);
      const seen = new Set<number>();
      for (const frame of frames) {
        if (frame.certainty === "scanned" || places.length >= AWAITED_CALLERS) break;
        if (seen.has(frame.depth)) continue;
        seen.add(frame.depth);
        const place = this.placeOf(frame, undefined);
        if (place !== undefined && place.stack.from >= frameBase) places.push(place);
      }
    }
    this.callers = places;
    return places;
  }

  private look(): Before {
    const { debuggee } = this;
    const { rsp, cpl } = debuggee.machine.state;
    return this.lookAt(debuggee.linearRip, rsp, cpl);
  }

  private lookAt(linear: bigint, stack: bigint, ring: number): Before {
    const { icount } = this.debuggee.machine;
    return { linear, stack, ring, icount, instruction: this.instructionAt(linear) };
  }

  private instructionAt(linear: bigint): DecodedInstruction | undefined {
    const { debuggee, decoded } = this;
    const known = decoded.get(linear);
    if (known !== undefined || decoded.has(linear)) return known;
    const bytes = debuggee.readLinear(this.world, linear, LONGEST_INSTRUCTION);
    const [found] = this.disassembler.decode(bytes, linear, debuggee.codeBits, 1);
    decoded.set(linear, found);
    return found;
  }

  private wait(place: Place, ends: boolean, callers: readonly Place[] = []): void {
    this.stopWaiting();
    this.mode = { kind: "place", ends };
    this.places.set([place], callers);
  }

  private stopWaiting(): void {
    this.mode = SINGLE;
    this.places.set([]);
    this.following?.dispose();
    this.following = undefined;
    this.returning = undefined;
  }
}
