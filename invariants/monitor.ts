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
import { msrNumber } from "./model/constants.ts";
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
/** An exit's or exception's name, an MSR's number, a function's name. */
type Kind = string | number;
type MomentOfKinds = "exit" | "msr_write" | "exception" | "call" | "return";

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
  /** Of each moment, by a name of its kind, those that listen to it: found when it first comes. */
  private readonly ofKinds: { readonly [M in MomentOfKinds]: Map<Kind, readonly Tracked[]> } = {
    exit: new Map(),
    msr_write: new Map(),
    exception: new Map(),
    call: new Map(),
    return: new Map(),
  };
  /** Those that look back at a VMRUN or #VMEXIT, of whatever kind it is. */
  private readonly keepers: { readonly [E in "vmrun" | "exit"]: readonly Tracked[] };
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
    this.keepers = {
      vmrun: this.tracks.filter(({ keptAt }) => keptAt.has("vmrun")),
      exit: this.tracks.filter(({ keptAt }) => keptAt.has("exit")),
    };
    this.watch = new WriteWatch(machine.memory);
    this.ranges = new WriteRanges(this.listeners.write, this.watch);
    this.watchOwn(undefined);
    const calls = invariants.flatMap((each) => eventsOf(each, ["call", "return"]));
    const functions = new Set(calls.map(functionOf));
    if (program !== undefined && functions.size > 0) {
      this.calls = new Calls(machine, program, functions, {
        view: (event) => this.views.view(event),
        check: (event, name) => this.judge(event, {}, this.ofKind(event, name, isOf(name))),
        tracked: (event, name) => this.ofKind(event, name, isOf(name)),
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
    this.ranges.forget();
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
    this.views.exited(event);
    const name = exitName(event.code);
    const view = this.views.view("exit");
    const meant = this.ofKind("exit", name, (node) => isAbout(node, name));
    const stop = this.checkAt(view, "exit", meant);
    this.ranges.follow(view, this.isArmed);
    return stop;
  }

  private written(event: ObserverEvents["physicalWrite"]): "stop" | undefined {
    const { address, size } = event;
    const byGuest = this.machine.state.guestMode !== 0;
    let stop: "stop" | undefined;
    if (this.views.written(event)) {
      if (!byGuest) this.tablesChanged = true;
      else stop = this.judge("npt_write", { write: writeFacts(event, byGuest) });
    }
    if (this.watch.isAbout("text_write", address, size))
      stop = this.judge("text_write", { write: writeFacts(event, byGuest) }) ?? stop;
    if (event.worldSwitch) return stop;
    if (this.watch.isAbout("vmcb_write", address, size))
      stop = this.judge("vmcb_write", { write: writeFacts(event, byGuest) }) ?? stop;
    const about = this.ranges.about(address, size);
    if (about.size === 0) return stop;
    const meant = this.listeners.write.filter((each) => about.has(each));
    return this.judge("write", { write: writeFacts(event, byGuest) }, meant) ?? stop;
  }

  private msrWritten({
    index,
    write: isWrite,
    value,
    before,
    guest,
  }: ObserverEvents["msr"]): "stop" | undefined {
    if (!isWrite) return undefined;
    const meant = this.ofKind("msr_write", index, ({ arguments: names }) => {
      return names.length === 0 || names.some(({ text }) => msrNumber(text) === index);
    });
    if (meant.length === 0) return undefined;
    const write: WriteFacts = {
      address: 0,
      bytes: 0,
      before,
      after: msrValue(this.machine.cpu, index) ?? value,
      msr: index,
      byGuest: guest,
    };
    return this.judge("msr_write", { write }, meant);
  }

  /** A guest's exceptions are its own, or exits. */
  private exceptionComes(event: ObserverEvents["exception"]): "stop" | undefined {
    const { vector, name, errorCode, address } = event;
    if (name === undefined || this.machine.state.guestMode !== 0) return undefined;
    const raised = { vector, errorCode, address };
    const meant = this.ofKind("exception", name, (node) => isAbout(node, name));
    return this.judge("exception", { raised }, meant);
  }

  private firstWrite(page: number): undefined {
    this.views.changes.firstWrite(page);
  }

  /** Checks the invariants that listen to an event, or to this kind of it. */
  private judge(
    event: EventName & Moment,
    facts: EventFacts,
    meant: readonly Tracked[] = this.listeners[event],
  ): "stop" | undefined {
    return this.checkAt(this.views.view(event, facts), event, meant);
  }

  private checkAt(
    view: View,
    moment: Moment,
    meant: readonly Tracked[] = this.listeners[moment],
  ): "stop" | undefined {
    const stop = this.checkAll(view, meant);
    const { event } = view;
    if (event === "vmrun" || event === "exit") {
      // VMRUN and #VMEXIT are the earlier events of each other, whatever their kind.
      for (const each of this.keepers[event]) each.keepOld(view);
      if (this.keptFor.has(event)) this.views.changes.keep(event);
    } else {
      for (const each of meant) if (each.keptAt.has(event)) each.keepOld(view);
    }
    return stop;
  }

  private ofKind(
    moment: MomentOfKinds,
    kind: Kind,
    isMeant: (node: CheckedEvent) => boolean,
  ): readonly Tracked[] {
    const known = this.ofKinds[moment].get(kind);
    if (known !== undefined) return known;
    const meant = this.listeners[moment].filter(({ invariant }) =>
      eventsOf(invariant, MOMENTS[moment]).some(isMeant),
    );
    this.ofKinds[moment].set(kind, meant);
    return meant;
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

const writeFacts = (
  { address, size, before, after }: ObserverEvents["physicalWrite"],
  byGuest: boolean,
): WriteFacts => ({ address, bytes: size, before, after, msr: undefined, byGuest });

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
