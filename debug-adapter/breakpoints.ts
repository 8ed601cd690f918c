/** All breakpoints of the session: set by the client, placed in the machine, asked at events. */
import { type Breakpoint, bind, type Hit } from "./breakpoints/breakpoint.ts";
import { EventNames } from "./breakpoints/event-names.ts";
import type { Outcome } from "./breakpoints/options.ts";
import { Placement } from "./breakpoints/placement.ts";
import { writerOf } from "./breakpoints/writer.ts";
import type { Debuggee } from "./debuggee.ts";
import { exitInWords, exitReason, exitTitle } from "./exits/exit-log.ts";
import type { Names } from "./expression/evaluate.ts";
import { ImageLocator } from "./images/image-locator.ts";
import { ImagePresence } from "./images/image-presence.ts";
import { exitNames, frameNames } from "./names.ts";
import { type ExecutePlace, joinStops, type Stop, type StopSources } from "./runner.ts";
import { worldFrames } from "./stack.ts";

export type BreakpointGroup =
  | `source:${string}`
  | ("function" | "instruction" | "exit" | "data" | "event");

export interface BreakpointEvents {
  log(text: string): void;
  /** The breakpoint is elsewhere, or not where it was, or more is known of it. */
  changed(breakpoint: Breakpoint): void;
  /** What the user must know. */
  important?(text: string): void;
  /** The machine stands still: what was kept back is to be shown. */
  stopped?(): void;
}

/** The machine that breakpoints are placed in, and what is known of the images in it. */
export interface Target {
  readonly debuggee: Debuggee;
  readonly presence: ImagePresence;
}

interface Attached extends Target {
  readonly locator: ImageLocator;
  readonly placement: Placement;
  readonly detach: () => void;
}

interface Reached {
  readonly breakpoint: Breakpoint;
  readonly hit: Hit;
  readonly problem: string | undefined;
  readonly icount: number;
  writer: string;
}

export class Breakpoints implements StopSources {
  private readonly groups = new Map<BreakpointGroup, readonly Breakpoint[]>();
  private readonly byExit = new Map<string, readonly Breakpoint[]>();
  private reached: Reached[] = [];
  private attached: Attached | undefined;
  private readonly warned = new Set<string>();
  /** Nothing is counted or logged while the past is searched for a stop. */
  isSearching = false;
  private nextId = 1;
  private readonly events: BreakpointEvents;
  /** On until the client says otherwise. */
  stopsAtShutdown = true;
  stopsAtViolation = true;

  constructor(events: BreakpointEvents) {
    this.events = events;
  }

  newId(): number {
    return this.nextId++;
  }

  get all(): readonly Breakpoint[] {
    return [...this.groups.values()].flat();
  }

  get target(): Target | undefined {
    return this.attached;
  }

  /** Whether any but the filters without names is set: it may wait for a program's symbols. */
  mayNameCode = false;

  /** Replaces the breakpoints of a group. */
  set(group: BreakpointGroup, breakpoints: readonly Breakpoint[]): void {
    this.groups.set(group, breakpoints);
    this.place();
  }

  /** A new machine gets all breakpoints, looked for again in its images; their hits count from 0. */
  attach(debuggee: Debuggee): void {
    this.detach();
    const presence = new ImagePresence(debuggee, () => this.rebind());
    const guests = new Set<number | undefined>([debuggee.spaces.guest]);
    const detach = debuggee.machine.observe({
      name: "breakpoints",
      on: {
        vmrun: () => {
          const { guest } = debuggee.spaces;
          if (guests.has(guest)) return undefined;
          guests.add(guest);
          this.rebind();
          return undefined;
        },
      },
    });
    const locator = new ImageLocator(debuggee);
    const placement = new Placement(debuggee, presence);
    this.attached = { debuggee, presence, locator, placement, detach };
    for (const { options } of this.all) if (options) options.hits = 0;
    this.rebind();
  }

  /** Leaves the machine as it was before attach(); the breakpoints wait for the next one. */
  detach(): void {
    const { attached } = this;
    this.attached = undefined;
    this.reached = [];
    attached?.placement.clear();
    attached?.presence.dispose();
    attached?.locator.dispose();
    attached?.detach();
  }

  /** Looks for the places of all breakpoints again: the images have changed. */
  rebind(): void {
    const moved: Breakpoint[] = [];
    for (const [group, breakpoints] of this.groups) {
      const bound = breakpoints.map((each) => bind(each));
      moved.push(...bound.filter((each, i) => isMoved(each, breakpoints[i])));
      this.groups.set(group, bound);
    }
    this.place();
    for (const breakpoint of moved) this.events.changed(breakpoint);
    this.warnOfOtherBuilds();
  }

  /** The machine is at another instant: what its triggers remember is of no use. */
  wentBack(): void {
    this.reached = [];
    this.attached?.placement.rearm();
  }

  /** What was known of where an image's code is no longer holds. */
  imageChanged(image: Parameters<ImagePresence["forget"]>[0]): void {
    this.attached?.presence.forget(image);
    this.rebind();
  }

  private warnOfOtherBuilds(): void {
    const { attached } = this;
    for (const image of attached?.debuggee.images.all ?? []) {
      const presence = attached?.presence.of(image);
      if (presence?.kind !== "otherBuild" || this.warned.has(presence.message)) continue;
      this.warned.add(presence.message);
      this.events.important?.(presence.message);
    }
  }

  private place(): void {
    this.mayNameCode = this.all.some(
      ({ filter }) => filter !== "shutdown" && filter !== "invariant",
    );
    this.byExit.clear();
    this.attached?.placement.place(this.all, (breakpoint, hit) => this.reachEvent(breakpoint, hit));
  }

  onExecute(place: ExecutePlace): Stop | undefined {
    const { attached } = this;
    if (attached === undefined) return undefined;
    const here = attached.placement.at(place);
    if (here.length === 0) return undefined;
    const { debuggee } = attached;
    const hit = this.reach(here, () =>
      frameNames(debuggee, worldFrames(debuggee, debuggee.world, 1)[0]),
    );
    const [first] = hit;
    if (first === undefined) return undefined;
    return {
      reason: "breakpoint",
      description: `Paused on ${first.breakpoint.title}`,
      hitBreakpointIds: hit.map(({ breakpoint }) => breakpoint.id),
      ...problemText(hit),
    };
  }

  onExit(): Stop | undefined {
    const debuggee = this.attached?.debuggee;
    const exit = debuggee?.exits.last;
    if (debuggee === undefined || exit === undefined) return undefined;
    if (this.reached.length > 0) this.nameExitAsWriter(exitTitle(exit, debuggee.machine));
    const reason = exitReason(exit);
    if (reason === "SHUTDOWN" && this.stopsAtShutdown) {
      const chain = debuggee.exits.faultChain;
      const guest = this.onShutdown(chain.length > 0 ? chain : ["the guest's triple fault"]);
      if (guest) return guest;
    }
    const wanted = this.atExit(reason);
    if (wanted.length === 0) return undefined;
    let names: Names | undefined;
    const hit = this.reach(wanted, () => {
      names ??= exitNames(debuggee, exit);
      return names;
    });
    const [first] = hit;
    if (first === undefined) return undefined;
    const filter = hit.find(({ breakpoint }) => breakpoint.filter !== undefined)?.breakpoint.filter;
    return {
      reason: filter === undefined ? "breakpoint" : "exception",
      description: `Paused on #VMEXIT ${reason} (exit ${exit.number})`,
      text: exitInWords(exit),
      hitBreakpointIds: hit.map(({ breakpoint }) => breakpoint.id),
      exception: { id: filter ?? "exit", details: exitTitle(exit, debuggee.machine) },
      ...problemText(hit),
    };
  }

  /** The breakpoints that want exits of that name; listed once, because exits come often. */
  private atExit(reason: string): readonly Breakpoint[] {
    let wanted = this.byExit.get(reason);
    if (wanted === undefined) {
      wanted = this.all.filter(({ exits }) => exits?.includes("*") || exits?.includes(reason));
      this.byExit.set(reason, wanted);
    }
    return wanted;
  }

  onShutdown(faults: readonly string[]): Stop | undefined {
    if (!this.stopsAtShutdown) return undefined;
    const text = faults.join(", then ");
    const filter = this.reachFilter("shutdown", { faults: text });
    if (filter === "ignored") return undefined;
    return {
      reason: "exception",
      description: "Paused on shutdown, before the reset",
      text,
      exception: { id: "shutdown", details: `The CPU shuts down: ${text}` },
      ...filter,
    };
  }

  /** The stop of a violated invariant, if the filter's condition lets it be one. */
  onViolation(stop: Stop): Stop | undefined {
    if (!this.stopsAtViolation) return undefined;
    const [invariant = ""] = stop.exception?.details.split(":") ?? [];
    const filter = this.reachFilter("invariant", { invariant, message: stop.text ?? "" });
    return filter === "ignored" ? undefined : { ...stop, ...filter };
  }

  private reachFilter(
    id: string,
    fields: Readonly<Record<string, string>>,
  ): "ignored" | Pick<Stop, "hitBreakpointIds"> {
    const filter = this.all.find((each) => each.filter === id);
    if (filter === undefined) return {};
    const [hit] = this.reach([filter], () => new EventNames(fields, () => this.namesHere()));
    return hit === undefined ? "ignored" : { hitBreakpointIds: [filter.id] };
  }

  /** An event of a trigger; what is reached is told by take(). */
  private reachEvent(breakpoint: Breakpoint, hit: Hit): "stop" | undefined {
    const { attached } = this;
    if (attached === undefined) return undefined;
    const { debuggee } = attached;
    const [found] = this.reach(
      [breakpoint],
      () => new EventNames(hit.fields, () => frameNames(debuggee)),
    );
    if (found === undefined) return undefined;
    const { icount } = debuggee.machine;
    const writer = writerOf(debuggee, hit).name;
    const { problem } = found.outcome;
    this.reached.push({ breakpoint, hit, problem, icount, writer });
    return "stop";
  }

  /** The VMCB's bytes were written at this instant: by #VMEXIT itself. */
  private nameExitAsWriter(title: string): void {
    const icount = this.attached?.debuggee.machine.icount;
    for (const each of this.reached) {
      if (each.hit.inVmcb && each.icount === icount) each.writer = title;
    }
  }

  take(): Stop | undefined {
    const { reached } = this;
    if (reached.length === 0) return undefined;
    this.reached = [];
    reached.sort((a, b) => a.breakpoint.id - b.breakpoint.id);
    return reached.map(stopOf).reduce(joinStops);
  }

  beforeStop(): void {
    this.reached = [];
    this.attached?.locator.look();
    this.attached?.presence.look();
    this.events.stopped?.();
  }

  private namesHere(): Names {
    if (this.attached === undefined) throw new Error("No machine is loaded");
    return frameNames(this.attached.debuggee);
  }

  private reach(
    breakpoints: readonly Breakpoint[],
    names: () => Names,
  ): { breakpoint: Breakpoint; outcome: Outcome & { kind: "stop" } }[] {
    const hit = [];
    if (this.isSearching) {
      return breakpoints
        .filter(({ options }) => options?.meets(names))
        .map((breakpoint) => ({ breakpoint, outcome: { kind: "stop" as const } }));
    }
    if (this.attached?.debuggee.timeline?.isReplaying) return [];
    for (const breakpoint of breakpoints) {
      const outcome = breakpoint.options?.reach(names);
      if (outcome?.kind === "log") this.events.log(outcome.text);
      if (outcome?.kind === "stop") hit.push({ breakpoint, outcome });
    }
    return hit;
  }
}

function stopOf({ breakpoint, hit, problem, writer }: Reached): Stop {
  const { reason, description } = hit;
  const text = problem === undefined ? hit.text?.(writer) : problemSentence(problem);
  const { filter } = breakpoint;
  return {
    reason: filter === undefined ? reason : "exception",
    description,
    ...(text === undefined ? {} : { text }),
    hitBreakpointIds: [breakpoint.id],
    exception: { id: filter ?? breakpoint.title, details: text ?? description },
  };
}

function isMoved(now: Breakpoint, before: Breakpoint | undefined): boolean {
  return (
    now.line !== before?.line || now.message !== before?.message || now.state !== before?.state
  );
}

const problemSentence = (problem: string): string => `The breakpoint stops because ${problem}.`;

function problemText(hit: readonly { outcome: { problem?: string } }[]): { text?: string } {
  const problem = hit.find(({ outcome }) => outcome.problem !== undefined)?.outcome.problem;
  return problem === undefined ? {} : { text: problemSentence(problem) };
}
