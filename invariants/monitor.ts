/** Watches a running machine and checks invariants at the events that they name. */
import {
  exitName,
  type Guests,
  type Machine,
  msrValue,
  type Observer,
  type ObserverEvents,
  PAGE_SIZE,
} from "../emulator/index.ts";
import type { InvariantCounters } from "./attach.ts";
import { Calls, type CallsState, NO_CALLS } from "./calls.ts";
import type { ChangesState } from "./changes.ts";
import { EventViews, type ViewState } from "./event-view.ts";
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import type { EventName } from "./language/syntax.ts";
import type { CheckedEvent, CheckedInvariant } from "./language/term.ts";
import { makeViolation } from "./make-violation.ts";
import { MSR_NUMBERS } from "./model/constants.ts";
import type { EventFacts, View, WriteFacts } from "./model/view.ts";
import type { Program } from "./program.ts";
import { type CheckPlace, NEVER_CHECKED, Tracked, type TrackState } from "./tracked.ts";
import type { InvariantStatus, Violation } from "./violation.ts";
import { WriteRanges } from "./write-ranges.ts";
import { WriteWatch, type WriteWatchState } from "./write-watch.ts";

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
  readonly writes: WriteWatchState;
  readonly calls: CallsState;
  readonly changes: ChangesState;
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
  write: ["write"],
  exception: ["exception"],
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
  private readonly ranges: WriteRanges;
  private readonly calls: Calls | undefined;
  /** Events since which what changed is looked at; those of calls keep it themselves. */
  private readonly keptFor: ReadonlySet<EventName>;
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
    const backTo = this.tracks.flatMap((each) => (each.usesChanges ? [...each.looksBackTo] : []));
    this.keptFor = new Set(backTo.filter((event) => event === "vmrun" || event === "exit"));
    const listeners = Object.entries(MOMENTS).map(([moment, events]) => [
      moment,
      this.tracks.filter(({ invariant }) => eventsOf(invariant, events).length > 0),
    ]);
    this.listeners = Object.fromEntries(listeners);
    this.watch = new WriteWatch(machine);
    this.ranges = new WriteRanges(this.listeners.write, this.watch);
    this.watchOwn(undefined);
    const calls = invariants.flatMap((each) => eventsOf(each, ["call", "return"]));
    const functions = new Set(calls.map(functionOf));
    if (program !== undefined && functions.size > 0) {
      this.calls = new Calls(machine, program, functions, {
        view: (event) => this.views.view(event),
        check: (event, name) => this.judge(event, undefined, isOf(name)),
        tracked: (event, name) => this.meant(event, isOf(name)),
        changes: this.views.changes,
      });
    }
    this.observer = { name: "invariants", on: this.handlers() };
  }

  dispose(): void {
    this.calls?.dispose();
    this.watch.dispose();
    this.views.clear();
  }

  get counters(): InvariantCounters {
    const { tracks, views, watch } = this;
    return {
      evaluations: tracks.reduce((sum, { evaluations }) => sum + evaluations, 0),
      tableScans: views.cache.scans,
      watchedPages: watch.pages + views.watchedPages,
      staleMarks: views.staleMarks,
      keptPages: views.changes.pages,
    };
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
      ({ verdict, isOfOneState }) => verdict === undefined && isOfOneState,
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
      writes: this.watch.save(),
      calls: this.calls?.save() ?? NO_CALLS,
      changes: this.views.changes.save(),
      tablesChanged: this.tablesChanged,
    };
  }

  restore({ tracks, views, writes, calls, changes, tablesChanged }: MonitorState): void {
    const isWhole = this.machine.icount === 0;
    for (const each of this.tracks) {
      each.restore(tracks.get(each.identity) ?? { ...NEVER_CHECKED, isWhole });
    }
    this.views.restore(views);
    this.watch.restore(writes);
    this.watchOwn(views.vmcb);
    this.views.changes.restore(changes);
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
      ...(this.wants("exception") ? { exception: (event) => this.exceptionComes(event) } : {}),
      ...(this.tracks.some(({ usesChanges }) => usesChanges)
        ? { firstWrite: ({ page }) => this.firstWrite(page) }
        : {}),
      ...(this.calls === undefined
        ? {}
        : { execute: ({ linear, guest }) => (guest ? undefined : this.calls?.execute(linear)) }),
    };
  }

  private vmrunStarts(event: ObserverEvents["vmrunStart"]): "stop" | undefined {
    this.views.vmrunStarts(event);
    this.watch.vmrunStarts();
    const moment = this.tablesChanged ? "vmrunAfterWrites" : "vmrun";
    this.tablesChanged = false;
    const view = this.views.view("vmrun");
    const stop = this.checkAt(view, moment);
    this.views.tlb.vmrun(view);
    this.watchVmcb(event.vmcb);
    this.ranges.follow(view, this.isArmed);
    return stop;
  }

  private exited(event: ObserverEvents["exit"]): "stop" | undefined {
    const waiting = this.watch.takePending(this.machine.icount);
    this.views.exited(event);
    const written = waiting && this.judgeWrite(waiting);
    const name = exitName(event.code);
    const view = this.views.view("exit");
    const stop = this.checkAt(view, "exit", (node) => isAbout(node, name));
    this.ranges.follow(view, this.isArmed);
    return written ?? stop;
  }

  private written(event: ObserverEvents["physicalWrite"]): "stop" | undefined {
    const { views, watch } = this;
    let stop: "stop" | undefined;
    if (views.written(event)) {
      if (this.machine.state.guestMode === 0) this.tablesChanged = true;
      else stop = this.judge("npt_write", { write: watch.factsOf(event) });
    }
    const facts = watch.factsOf(event);
    if (watch.isAbout("text_write", facts))
      stop = this.judge("text_write", { write: facts }) ?? stop;
    const known = watch.instructions(event);
    return (known && this.judgeWrite(known)) ?? stop;
  }

  /** A write that is an instruction's. */
  private judgeWrite(write: WriteFacts): "stop" | undefined {
    const { watch, ranges } = this;
    const isVmcbs = watch.isAbout("vmcb_write", write);
    const stop = isVmcbs ? this.judge("vmcb_write", { write }) : undefined;
    if (!this.wants("write")) return stop;
    return this.judge("write", { write }, (node) => ranges.isAbout(node, write)) ?? stop;
  }

  private msrWritten({
    index,
    write: isWrite,
    value,
    before,
    guest,
  }: ObserverEvents["msr"]): "stop" | undefined {
    if (!isWrite) return undefined;
    const write: WriteFacts = {
      address: 0,
      bytes: 0,
      before,
      after: msrValue(this.machine.cpu, index) ?? value,
      msr: index,
      byGuest: guest,
    };
    return this.judge("msr_write", { write }, ({ arguments: names }) => {
      return names.length === 0 || names.some(({ text }) => MSR_NUMBERS.get(text) === index);
    });
  }

  /** A guest's exceptions are its own, or exits. */
  private exceptionComes(event: ObserverEvents["exception"]): "stop" | undefined {
    const { vector, name, errorCode, address } = event;
    if (name === undefined || this.machine.state.guestMode !== 0) return undefined;
    const raised = { vector, errorCode, address };
    return this.judge("exception", { raised }, (node) => isAbout(node, name));
  }

  private firstWrite(page: number): undefined {
    this.views.changes.firstWrite(page);
  }

  /** Checks the invariants that listen to an event, and to this kind of it. */
  private judge(
    event: EventName & Moment,
    facts?: EventFacts,
    isMeant?: (node: CheckedEvent) => boolean,
  ): "stop" | undefined {
    return this.checkAt(this.views.view(event, facts), event, isMeant);
  }

  private checkAt(
    view: View,
    moment: Moment,
    isMeant?: (node: CheckedEvent) => boolean,
  ): "stop" | undefined {
    const meant = isMeant === undefined ? this.listeners[moment] : this.meant(moment, isMeant);
    const stop = this.checkAll(view, meant);
    // VMRUN and #VMEXIT are the earlier events of each other, whatever their kind.
    const switchesWorlds = view.event === "vmrun" || view.event === "exit";
    for (const each of switchesWorlds ? this.tracks : meant) each.keepOld(view);
    if (this.keptFor.has(view.event)) this.views.changes.keep(view.event);
    return stop;
  }

  private meant(moment: Moment, isMeant: (node: CheckedEvent) => boolean): readonly Tracked[] {
    return this.listeners[moment].filter(({ invariant }) =>
      eventsOf(invariant, MOMENTS[moment]).some(isMeant),
    );
  }

  private checkAll(view: View, tracks: readonly Tracked[]): "stop" | undefined {
    const armed = this.views.hasRun ? tracks : tracks.filter(this.isArmed);
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

  private readonly isArmed = ({ invariant }: Tracked): boolean =>
    this.views.hasRun || invariant.phase === "reset";

  /** What is watched for events without brackets; in the present state, for those of which nothing is saved. */
  private watchOwn(vmcb: number | undefined): void {
    if (this.wants("text_write")) this.watch.watch("text_write", this.options.program?.text ?? []);
    this.watchVmcb(vmcb);
    this.ranges.followNew(this.views.view("always"), this.isArmed);
  }

  private watchVmcb(vmcb: number | undefined): void {
    if (vmcb === undefined || !this.wants("vmcb_write")) return;
    this.watch.watch("vmcb_write", [{ first: vmcb, bytes: PAGE_SIZE }]);
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

function eventsOf(
  { events }: CheckedInvariant,
  names: readonly EventName[],
): readonly CheckedEvent[] {
  return events.filter(({ name }) => names.includes(name));
}

const functionOf = ({ arguments: [name] }: CheckedEvent): string => name?.text ?? "";
const isOf =
  (name: string) =>
  (node: CheckedEvent): boolean =>
    functionOf(node) === name;

function isAbout({ arguments: names }: CheckedEvent, exit: string): boolean {
  return names.length === 0 || names.some(({ text }) => text === exit);
}
