/** Notices calls and returns of the hypervisor's functions, and keeps which return ends which call. */
import { compareInstants, type Instant, type Machine } from "../emulator/index.ts";
import type { Baseline, Changes } from "./changes.ts";
import type { View } from "./model/view.ts";
import { type Program, stateIn } from "./program.ts";
import { PLACE_BYTES, returnedValue } from "./returned-value.ts";
import type { OldResults, Tracked } from "./tracked.ts";

export interface OpenCall {
  readonly function: string;
  readonly returnsTo: bigint;
  /** The stack pointer behind the return. */
  readonly stack: bigint;
  /** By the identity of the invariant. */
  readonly old: ReadonlyMap<string, OldResults>;
  /** RAM at the call, where an invariant of its return looks at what changed. */
  readonly baseline: Baseline | undefined;
}

/** What goes back in time with the machine. */
export interface CallsState {
  readonly open: readonly OpenCall[];
  /** Where calls and returns were judged last: who stops there comes by the same instruction again. */
  readonly judgedAt: Instant | undefined;
}

export const NO_CALLS: CallsState = { open: [], judgedAt: undefined };

/** As it is kept: the baseline of an open call grows. */
const copyOf = (call: OpenCall): OpenCall => ({
  ...call,
  baseline: call.baseline && new Map(call.baseline),
});

export interface CallEvents {
  /** The view is at the function's body: its parameters have their values. */
  view(event: "call" | "return"): View;
  /** Judges the invariants of this function and event. */
  check(event: "call" | "return", name: string): "stop" | undefined;
  tracked(event: "call" | "return", name: string): readonly Tracked[];
  readonly changes: Changes;
}

export class Calls {
  private readonly machine: Machine;
  private readonly program: Program;
  private readonly events: CallEvents;
  private readonly bodies = new Map<bigint, string>();
  private open: readonly OpenCall[] = [];
  private judgedAt: Instant | undefined;

  /** Watches the functions of these names: those that the program does not have never come. */
  constructor(machine: Machine, program: Program, names: ReadonlySet<string>, events: CallEvents) {
    this.machine = machine;
    this.program = program;
    this.events = events;
    for (const name of names) {
      const place = program.symbols.functionsNamed(name).find(({ isInlined }) => !isInlined);
      if (place !== undefined) this.bodies.set(place.body, name);
    }
    for (const body of this.bodies.keys()) machine.cpu.engine.addBreakpoint(body);
  }

  dispose(): void {
    for (const body of this.bodies.keys()) this.machine.cpu.engine.removeBreakpoint(body);
    this.setOpen([]);
  }

  /** Before an instruction of the host's runs. */
  execute(linear: bigint): "stop" | undefined {
    const { instant } = this.machine;
    if (this.judgedAt && compareInstants(instant, this.judgedAt) === 0) return undefined;
    this.judgedAt = instant;
    const returned = this.returned(linear);
    const name = this.bodies.get(linear);
    const called = name === undefined ? undefined : this.called(name, linear);
    return returned ?? called;
  }

  save(): CallsState {
    const { open, judgedAt } = this;
    return { open: open.map(copyOf), judgedAt };
  }

  /** After the changes were restored. */
  restore({ open, judgedAt }: CallsState): void {
    const { changes } = this.events;
    this.setOpen(
      open.map(({ baseline, ...call }) => ({
        ...call,
        baseline: baseline && changes.again(baseline),
      })),
    );
    this.judgedAt = judgedAt;
  }

  private called(name: string, pc: bigint): "stop" | undefined {
    const { program, events } = this;
    const view = events.view("call");
    program.judge({ pc, result: undefined });
    const verdict = events.check("call", name);
    const waiting = events.tracked("return", name);
    if (waiting.length > 0) {
      const unwound = program.symbols.unwind(pc, stateIn(view, program.symbols));
      if (unwound.kind === "caller") {
        const old = new Map(waiting.map((each) => [each.identity, each.oldResults(view)]));
        const isLookedAt = waiting.some(({ usesChanges }) => usesChanges);
        const baseline = isLookedAt ? events.changes.begin() : undefined;
        const call = { function: name, returnsTo: unwound.pc, stack: unwound.cfa, old, baseline };
        // One that never returned has ended where another is made in its frame.
        const others = this.open.filter(
          ({ returnsTo, stack }) => returnsTo !== call.returnsTo || stack !== call.stack,
        );
        this.setOpen([...others, call]);
      }
    }
    program.judge(undefined);
    return verdict;
  }

  /** A call whose stack is gone has ended otherwise, and is forgotten. */
  private returned(linear: bigint): "stop" | undefined {
    const { state } = this.machine;
    const call = this.open.at(-1);
    if (call === undefined || call.returnsTo !== linear) return undefined;
    if (state.rsp < call.stack) return undefined;
    this.setOpen(this.open.slice(0, -1));
    const popped = state.rsp - call.stack;
    if (popped !== 0n && popped !== PLACE_BYTES) return this.returned(linear);
    const { program, events } = this;
    const result = returnedValue(program.function(call.function)?.result, state, popped);
    const waiting = events.tracked("return", call.function);
    for (const each of waiting) each.giveOld(call.old.get(each.identity));
    events.changes.giveCall(call.baseline);
    program.judge({ pc: linear, result });
    const verdict = events.check("return", call.function);
    program.judge(undefined);
    for (const each of waiting) each.giveOld(undefined);
    events.changes.giveCall(undefined);
    return verdict;
  }

  private setOpen(open: readonly OpenCall[]): void {
    const { engine } = this.machine.cpu;
    for (const { returnsTo } of open) engine.addBreakpoint(returnsTo);
    for (const { returnsTo, baseline } of this.open) {
      engine.removeBreakpoint(returnsTo);
      const isOpen = open.some((each) => each.baseline === baseline);
      if (baseline !== undefined && !isOpen) this.events.changes.end(baseline);
    }
    this.open = open;
  }
}
