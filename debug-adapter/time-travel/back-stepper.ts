/** Steps backwards by line or instruction: calls, interrupts and, by policy, the other world are skipped. */
import {
  type Instant,
  LONGEST_INSTRUCTION,
  type SeekProgress,
  type Timeline,
} from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { StepPolicy } from "../protocol.ts";
import type { CodeBits, DecodedInstruction, Disassembler } from "../services.ts";
import { type StepLine, StepLines } from "../stepping/step-lines.ts";
import { lastEvent } from "./last-event.ts";
import { type Step, StepsBefore, stepHere } from "./steps-before.ts";

export interface BackStepRequest {
  readonly kind: "in" | "over";
  readonly granularity: "line" | "instruction";
  readonly policy: StepPolicy;
}

type Search<T> = Generator<SeekProgress, T>;

/** A call is at most this long, and at least two bytes. */
const LONGEST_CALL = 7;
/** What a far call pushes in long mode; a near one pushes at least two bytes. */
const MOST_PUSHED = 16n;

export class BackStepper {
  private readonly debuggee: Debuggee;
  private readonly timeline: Timeline;
  private readonly disassembler: Disassembler;
  private readonly request: BackStepRequest;
  private readonly start: Step;
  private readonly lines: StepLines;
  private readonly before: StepsBefore;
  private readonly bits: CodeBits;
  private readonly decoded = new Map<bigint, DecodedInstruction | undefined>();

  constructor(
    debuggee: Debuggee,
    timeline: Timeline,
    disassembler: Disassembler,
    request: BackStepRequest,
  ) {
    this.debuggee = debuggee;
    this.timeline = timeline;
    this.disassembler = disassembler;
    this.request = request;
    this.start = stepHere(debuggee);
    this.bits = debuggee.codeBits;
    const probe = new StepLines(debuggee, this.start.world, undefined);
    const depth = probe.depthAt(this.start.linear);
    const flattens = request.kind === "over" && depth > 0;
    this.lines = flattens ? new StepLines(debuggee, this.start.world, depth) : probe;
    this.before = new StepsBefore(debuggee, timeline, this.start.at);
  }

  /** The instant to which the step leads; undefined where the run begins before it. */
  *target(): Search<Instant | undefined> {
    const { start, lines } = this;
    const first = yield* this.previous(start);
    const startLine = lines.at(start.linear);
    if (first === undefined) return undefined;
    if (this.request.granularity === "instruction" || startLine === undefined) return first.at;
    let here: Step = first;
    // Code without lines is passed by.
    while (lines.at(here.linear) === undefined) {
      const earlier = yield* this.previous(here);
      if (earlier === undefined) return here.at;
      here = earlier;
    }
    return yield* this.startOfLine(here);
  }

  /**
   * The instant of what the code that runs was called or interrupted at, found from step to step:
   * neither its function nor its frame need be known. Undefined where the run begins before it.
   */
  *caller(): Search<Instant | undefined> {
    const { call } = (yield* this.entry()) ?? {};
    if (call === undefined) return undefined;
    const isLine = this.request.granularity === "line" && this.lines.at(call.linear);
    return isLine ? yield* this.startOfLine(call) : call.at;
  }

  /** The instant at which the code that runs began, found so; undefined where it began elsewhere than here. */
  *beginning(): Search<Instant | undefined> {
    const { first } = (yield* this.entry()) ?? {};
    return first?.linear === this.start.linear ? first.at : undefined;
  }

  /** The same, whatever it began with; undefined where the run begins before it. */
  *firstStep(): Search<Instant | undefined> {
    return (yield* this.entry())?.first.at;
  }

  /** The step that called or was interrupted, or went on to another function, and the first one after it. */
  private *entry(): Search<{ readonly call: Step; readonly first: Step } | undefined> {
    let first = this.start;
    for (;;) {
      const call = yield* this.previous(first);
      if (call === undefined) return undefined;
      if (this.entered(call, first) || this.isOfAnother(call, first)) return { call, first };
      first = call;
    }
  }

  /** Whether the two are known to be of different functions. */
  private isOfAnother(before: Step, step: Step): boolean {
    const [one, other] = [before, step].map(
      ({ world, linear }) =>
        this.debuggee.images.at(world, linear)?.symbols.functionAt(linear)?.start,
    );
    return one !== undefined && other !== undefined && one !== other;
  }

  /** Whether a call or an interruption led from the one step to the other: both push, and go elsewhere. */
  private entered(before: Step, step: Step): boolean {
    if (before.world !== step.world || step.stack >= before.stack) return false;
    const { flow, length = 0, target } = this.decodeAt(before.linear) ?? {};
    if (before.linear + BigInt(length) === step.linear || flow === "return") return false;
    return flow !== "jump" || (target !== undefined && target !== step.linear);
  }

  /** Back to where the line of `here` began to run. */
  private *startOfLine(here: Step): Search<Instant> {
    const line = this.lines.at(here.linear) as StepLine;
    let at = here;
    while (!this.lines.beginsAt(at.linear)) {
      const earlier = yield* this.previous(at);
      const its = earlier && this.lines.at(earlier.linear);
      if (earlier === undefined || its === undefined) break;
      if (its.line !== line.line || its.path !== line.path || its.owner !== line.owner) break;
      at = earlier;
    }
    return at.at;
  }

  /** The step before, in this world and not deeper than `step` where calls are skipped. */
  private *previous(step: Step): Search<Step | undefined> {
    let before = yield* this.before.take();
    if (before === undefined) return undefined;
    if (this.isElsewhere(before) && this.request.policy === "sameWorld") {
      before = yield* this.backToWorld(before);
      if (before === undefined) return undefined;
    }
    if (this.request.kind === "in" || before.world !== step.world) return before;
    if (this.flowAt(before) !== "return") return before;
    return yield* this.skipReturned(step, before);
  }

  private isElsewhere({ world, guest }: Step): boolean {
    return world !== this.start.world || (world === "guest" && guest !== this.start.guest);
  }

  /** The last step of the starting world before one of another. */
  private *backToWorld(step: Step): Search<Step | undefined> {
    const known = [...this.before.known()].find((each) => !this.isElsewhere(each));
    if (known !== undefined) {
      this.before.skipTo(known.at);
      return known;
    }
    const { debuggee, timeline, start } = this;
    const event = start.world === "host" ? "vmrun" : "exit";
    const wanted = () =>
      start.world === "host" || debuggee.spaces.guest === start.guest || undefined;
    const found = yield* lastEvent(debuggee, timeline, step.at, [event], wanted);
    if (found === undefined) return undefined;
    this.before.skipTo(found.at);
    return yield* this.before.take();
  }

  /** What `step` returned from began with a call before it, or with an interruption at it. */
  private *skipReturned(step: Step, before: Step): Search<Step | undefined> {
    const isBeginning = (each: Step): boolean =>
      each.world === step.world && each.ring === step.ring && this.began(each, before, step);
    let begun = [...this.before.known()].find(isBeginning);
    begun ??= yield* this.searchBeginning(step, before, isBeginning);
    if (begun === undefined) return before;
    this.before.skipTo(begun.at);
    // An interrupted instruction had not run: what was before it is asked for.
    return begun.linear === step.linear ? yield* this.previous(begun) : begun;
  }

  /** Whether what ended with the return `before` had begun at `each`. */
  private began(each: Step, before: Step, step: Step): boolean {
    const isSameStack = each.stack === step.stack;
    if (each.linear === step.linear) return isSameStack;
    const { length = 0, flow } = this.decodeAt(each.linear) ?? {};
    if (each.linear + BigInt(length) !== step.linear) return false;
    // A handler may go on behind what raised its exception.
    const isHandler = this.decodeAt(before.linear)?.mnemonic.startsWith("iret") ?? false;
    if (isSameStack && isHandler) return true;
    // RET n takes more than the call left: what the call left is where the return found it.
    const pushed = each.stack - before.stack;
    return flow === "call" && (isSameStack || (pushed > 0n && pushed <= MOST_PUSHED));
  }

  private *searchBeginning(
    step: Step,
    before: Step,
    isBeginning: (each: Step) => boolean,
  ): Search<Step | undefined> {
    const { debuggee, timeline } = this;
    const places = [step.linear];
    for (let length = 2; length <= LONGEST_CALL; length++)
      places.push(step.linear - BigInt(length));
    const wanted = () => {
      const here = stepHere(debuggee);
      return isBeginning(here) ? here : undefined;
    };
    // What is interrupted between two instructions does not begin to execute.
    const events = ["execute", "exception"] as const;
    const found = yield* lastEvent(debuggee, timeline, before.at, events, wanted, places);
    return found?.what;
  }

  private flowAt(step: Step): string | undefined {
    return this.decodeAt(step.linear)?.flow;
  }

  /** The machine stands near enough for its mappings to be those of the step. */
  private decodeAt(linear: bigint): DecodedInstruction | undefined {
    if (!this.decoded.has(linear)) {
      const { debuggee } = this;
      const bytes = debuggee.readLinear(this.start.world, linear, LONGEST_INSTRUCTION);
      const [instruction] = this.disassembler.decode(bytes, linear, this.bits, 1);
      this.decoded.set(linear, instruction);
    }
    return this.decoded.get(linear);
  }
}
