/** Watches a running machine and checks invariants at the events that they name. */
import {
  exitName,
  type Guests,
  type Machine,
  type Observer,
  type ObserverEvents,
} from "../emulator/index.ts";
import { Calls, type OpenCall } from "./calls.ts";
import { EventViews, type ViewState } from "./event-view.ts";
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import type { EventName, EventNode } from "./language/syntax.ts";
import type { CheckedInvariant } from "./language/term.ts";
import { makeViolation } from "./make-violation.ts";
import { MSR_NUMBERS } from "./model/constants.ts";
import type { View, WriteFacts } from "./model/view.ts";
import type { Program } from "./program.ts";
import { type CheckPlace, NEVER_CHECKED, Tracked, type TrackState } from "./tracked.ts";
import type { InvariantStatus, Violation } from "./violation.ts";
import { type PendingWrite, WriteWatch } from "./write-watch.ts";

export interface MonitorOptions {
  readonly guests: Guests;
  readonly program: Program | undefined;
  readonly declared: HypervisorMemory | undefined;
  readonly stopOnViolation: (invariant: CheckedInvariant) => boolean;
  readonly onViolation: (violation: Violation) => void;
}

/** What goes back in time with the machine. */
export interface MonitorState {
  /** By the identity of the invariant. */
  readonly tracks: ReadonlyMap<string, TrackState>;
  readonly views: ViewState;
  readonly pendingWrite: PendingWrite | undefined;
  readonly calls: readonly OpenCall[];
  readonly tablesChanged: boolean;
}

/** What is judged at one moment: the invariants that listen to any of these events. */
const MOMENTS = {
  vmrun: ["vmrun", "always"],
  /** A host has written a nested table since the last VMRUN. */
  vmrunAfterWrites: ["vmrun", "always", "npt_write"],
  exit: ["exit", "always"],
  recheck: ["always", "vmrun", "npt_write"],
  npt_write: ["npt_write"],
  vmcb_write: ["vmcb_write"],
  msr_write: ["msr_write"],
  text_write: ["text_write"],
  call: ["call"],
  return: ["return"],
} as const satisfies { readonly [moment: string]: readonly EventName[] };
type Moment = keyof typeof MOMENTS;

/**
 * Builders of tables break invariants on the way: a host's write to a nested table is judged at the
 * next VMRUN, before any guest can use it; a guest's takes effect at once and is judged at once.
 * It changes no machine state.
 */
export class Monitor {
  readonly observer: Observer;
  readonly views: EventViews;
  private readonly machine: Machine;
  private readonly options: MonitorOptions;
  readonly tracks: readonly Tracked[];
  private readonly listeners: { readonly [M in Moment]: readonly Tracked[] };
  private readonly watch: WriteWatch;
  private readonly calls: Calls | undefined;
  /** A host has written a nested table since the last VMRUN. */
  private tablesChanged = false;
  /** Grows with whatever may change a status. */
  revision = 0;

  constructor(machine: Machine, invariants: readonly CheckedInvariant[], options: MonitorOptions) {
    this.machine = machine;
    this.options = options;
    const { guests, program, declared } = options;
    this.views = new EventViews(machine, guests, program, declared);
    this.tracks = invariants.map((each) => new Tracked(each, declared, machine.icount === 0));
    const listeners = Object.entries(MOMENTS).map(([moment, events]) => [
      moment,
      this.tracks.filter(({ invariant }) => eventsOf(invariant, events).length > 0),
    ]);
    this.listeners = Object.fromEntries(listeners);
    const text = this.wants("text_write") ? (program?.text ?? []) : [];
    this.watch = new WriteWatch(machine, text, this.wants("vmcb_write"));
    const calls = invariants.flatMap((each) => eventsOf(each, ["call", "return"]));
    const functions = new Set(calls.map(functionOf));
    if (program !== undefined && functions.size > 0) {
      this.calls = new Calls(machine, program, functions, {
        view: (event) => this.views.view(event),
        check: (event, name) => this.judge(event, undefined, isOf(name)),
        tracked: (event, name) => this.meant(event, isOf(name)),
      });
    }
    this.observer = { name: "invariants", on: this.handlers() };
  }

  dispose(): void {
    this.calls?.dispose();
    this.watch.dispose();
    this.views.clear();
  }

  get evaluations(): number {
    return this.tracks.reduce((sum, { evaluations }) => sum + evaluations, 0);
  }

  status(): InvariantStatus[] {
    const { memorySource } = this.views;
    return this.tracks.map(({ invariant, identity, verdict, checked, lastExit }) => {
      const { name, doc, source, file, span } = invariant;
      const reason =
        verdict?.kind === "unknown"
          ? verdict.reason
          : verdict?.kind === "violated"
            ? verdict.explanation.actual
            : undefined;
      return {
        ...{ name, identity, doc, source, file, span, checked },
        state: verdict?.kind ?? "never checked",
        ...(lastExit === undefined ? {} : { lastExit }),
        ...(reason === undefined ? {} : { reason }),
        ...(memorySource === undefined ? {} : { hypervisorMemory: memorySource }),
      };
    });
  }

  /** Judges those without a verdict that are about one state, as the machine stands; those armed only. */
  checkNew(): void {
    const unjudged = this.listeners.recheck.filter(
      ({ verdict, oldTerms }) => verdict === undefined && oldTerms.length === 0,
    );
    this.checkAll(this.views.view("always"), unjudged);
  }

  /** Judges the calls and returns that the next instruction of the host is, before it runs. */
  judgeNext(): void {
    const { guestMode, rip } = this.machine.state;
    if (guestMode === 0) this.calls?.execute(rip);
  }

  save(): MonitorState {
    return {
      tracks: new Map(this.tracks.map((each) => [each.identity, each.save()])),
      views: this.views.save(),
      pendingWrite: this.watch.pending,
      calls: this.calls?.save() ?? [],
      tablesChanged: this.tablesChanged,
    };
  }

  restore({ tracks, views, pendingWrite, calls, tablesChanged }: MonitorState): void {
    const isWhole = this.machine.icount === 0;
    for (const each of this.tracks) {
      each.restore(tracks.get(each.identity) ?? { ...NEVER_CHECKED, isWhole });
    }
    this.views.restore(views);
    this.watch.restore(views.vmcb, pendingWrite);
    this.calls?.restore(calls);
    this.tablesChanged = tablesChanged;
    this.revision++;
  }

  /** Goes on where others were: those that say the same keep verdicts and counts. */
  continue(saved: MonitorState): void {
    this.restore(saved);
    // What was written to tables that only the others had read is not known here.
    this.tablesChanged = this.views.hasRun;
  }

  private handlers(): Observer["on"] {
    return {
      vmrunStart: (event) => this.vmrunStarts(event),
      exit: (event) => this.exited(event),
      physicalWrite: (event) => this.written(event),
      poke: (event) => {
        this.views.poked(event);
        return undefined;
      },
      ...(this.wants("msr_write") ? { msr: (event) => this.msrWritten(event) } : {}),
      ...(this.calls === undefined
        ? {}
        : { execute: ({ linear, guest }) => (guest ? undefined : this.calls?.execute(linear)) }),
    };
  }

  private vmrunStarts(event: ObserverEvents["vmrunStart"]): "stop" | undefined {
    this.views.vmrunStarts(event);
    this.watch.watchVmcb(event.vmcb);
    const moment = this.tablesChanged ? "vmrunAfterWrites" : "vmrun";
    this.tablesChanged = false;
    const view = this.views.view("vmrun");
    const stop = this.checkAt(view, moment);
    this.views.tlb.vmrun(view);
    return stop;
  }

  private exited(event: ObserverEvents["exit"]): "stop" | undefined {
    const waiting = this.watch.takePending(this.machine.icount);
    this.views.exited(event);
    const written = waiting && this.judge("vmcb_write", waiting);
    const name = exitName(event.code);
    const stop = this.judge("exit", undefined, (node) => isAbout(node, name));
    return written ?? stop;
  }

  private written(event: ObserverEvents["physicalWrite"]): "stop" | undefined {
    const { views, watch } = this;
    let stop: "stop" | undefined;
    if (views.written(event)) {
      if (this.machine.state.guestMode === 0) this.tablesChanged = true;
      else stop = this.judge("npt_write", watch.factsOf(event));
    }
    const vmcb = watch.vmcbWrite(event);
    if (vmcb !== undefined) stop = this.judge("vmcb_write", vmcb) ?? stop;
    if (watch.isText(event)) stop = this.judge("text_write", watch.factsOf(event)) ?? stop;
    return stop;
  }

  private msrWritten({ index, write, value, guest }: ObserverEvents["msr"]): "stop" | undefined {
    if (!write) return undefined;
    const facts: WriteFacts = {
      address: 0,
      bytes: 0,
      before: 0n,
      after: value,
      msr: index,
      byGuest: guest,
    };
    return this.judge("msr_write", facts, ({ arguments: names }) => {
      return names.length === 0 || names.some(({ text }) => MSR_NUMBERS.get(text) === index);
    });
  }

  /** Checks the invariants that listen to an event, and to this kind of it. */
  private judge(
    event: EventName & Moment,
    write?: WriteFacts,
    isMeant?: (node: EventNode) => boolean,
  ): "stop" | undefined {
    return this.checkAt(this.views.view(event, write), event, isMeant);
  }

  private checkAt(
    view: View,
    moment: Moment,
    isMeant?: (node: EventNode) => boolean,
  ): "stop" | undefined {
    const meant = isMeant === undefined ? this.listeners[moment] : this.meant(moment, isMeant);
    const stop = this.checkAll(view, meant);
    // VMRUN and #VMEXIT are the earlier events of each other, whatever their kind.
    const switchesWorlds = view.event === "vmrun" || view.event === "exit";
    for (const each of switchesWorlds ? this.tracks : meant) each.keepOld(view);
    return stop;
  }

  private meant(moment: Moment, isMeant: (node: EventNode) => boolean): readonly Tracked[] {
    return this.listeners[moment].filter(({ invariant }) =>
      eventsOf(invariant, MOMENTS[moment]).some(isMeant),
    );
  }

  private checkAll(view: View, tracks: readonly Tracked[]): "stop" | undefined {
    const { hasRun } = this.views;
    const armed = hasRun ? tracks : tracks.filter(({ invariant }) => invariant.phase === "reset");
    if (armed.length === 0) return undefined;
    const { stopOnViolation, onViolation } = this.options;
    const place = this.placeOf(view);
    this.revision++;
    let stop: "stop" | undefined;
    for (const tracked of armed) {
      const { invariant, lastGood } = tracked;
      if (!tracked.check(view, place) || tracked.verdict?.kind !== "violated") continue;
      const { explanation } = tracked.verdict;
      onViolation(makeViolation(invariant, explanation, view, this.views.vmrunRip, lastGood));
      if (stopOnViolation(invariant)) stop = "stop";
    }
    return stop;
  }

  private placeOf({ event }: View): CheckPlace {
    const { icount, state } = this.machine;
    const isFunctions = event === "call" || event === "return";
    const rip = isFunctions ? state.rip : this.views.vmrunRip;
    return { icount, exitNumber: state.exitCount, rip };
  }

  private wants(event: EventName & Moment): boolean {
    return this.listeners[event].length > 0;
  }
}

function eventsOf({ events }: CheckedInvariant, names: readonly EventName[]): readonly EventNode[] {
  return events.filter(({ name }) => names.includes(name));
}

const functionOf = ({ arguments: [name] }: EventNode): string => name?.text ?? "";
const isOf =
  (name: string) =>
  (node: EventNode): boolean =>
    functionOf(node) === name;

function isAbout({ arguments: names }: EventNode, exit: string): boolean {
  return names.length === 0 || names.some(({ text }) => text === exit);
}
