/** All breakpoints of the session: set by the client, placed in the machine, asked at events. */
import { type Breakpoint, bind } from "./breakpoint.ts";
import type { Outcome } from "./breakpoint-options.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Stop, StopSources } from "./execution.ts";
import { exitInWords, exitReason, exitTitle } from "./exit-log.ts";
import type { Names } from "./expression/evaluate.ts";
import { exitNames, frameNames } from "./names.ts";
import { worldFrames } from "./stack.ts";

export type BreakpointGroup = `source:${string}` | "function" | "instruction" | "exit";

export interface BreakpointEvents {
  log(text: string): void;
  /** The breakpoint is elsewhere, or not where it was. */
  changed(breakpoint: Breakpoint): void;
}

export class Breakpoints implements StopSources {
  private readonly groups = new Map<BreakpointGroup, readonly Breakpoint[]>();
  private byPlace = new Map<string, Breakpoint[]>();
  private exitBreakpoints: readonly Breakpoint[] = [];
  private placed: bigint[] = [];
  private debuggee: Debuggee | undefined;
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

  /** Replaces the breakpoints of a group. */
  set(group: BreakpointGroup, breakpoints: readonly Breakpoint[]): void {
    this.groups.set(group, breakpoints);
    this.place();
  }

  /** A new machine gets all breakpoints, looked for again in its images; their hits count from 0. */
  attach(debuggee: Debuggee): void {
    this.debuggee = debuggee;
    this.placed = [];
    for (const { options } of this.all) if (options) options.hits = 0;
    this.rebind();
  }

  /** Leaves the machine as it was before attach(); the breakpoints wait for the next one. */
  detach(): void {
    const engine = this.debuggee?.machine.cpu.engine;
    for (const linear of this.placed) engine?.removeBreakpoint(linear);
    this.placed = [];
    this.debuggee = undefined;
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
  }

  private place(): void {
    const { all } = this;
    this.byPlace = new Map();
    for (const breakpoint of all) {
      for (const { linear, world } of breakpoint.places) {
        const key = `${world}:${linear}`;
        this.byPlace.set(key, [...(this.byPlace.get(key) ?? []), breakpoint]);
      }
    }
    this.exitBreakpoints = all.filter((each) => each.exits !== undefined);
    const engine = this.debuggee?.machine.cpu.engine;
    if (engine === undefined) return;
    for (const linear of this.placed) engine.removeBreakpoint(linear);
    this.placed = [...new Set(all.flatMap((each) => each.places.map((place) => place.linear)))];
    for (const linear of this.placed) engine.addBreakpoint(linear);
  }

  onExecute(linear: bigint, guest: boolean): Stop | undefined {
    const { debuggee } = this;
    const here = this.byPlace.get(`${guest ? "guest" : "host"}:${linear}`);
    if (here === undefined || debuggee === undefined) return undefined;
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
    const { debuggee } = this;
    const exit = debuggee?.exits.last;
    if (debuggee === undefined || exit === undefined) return undefined;
    const reason = exitReason(exit);
    if (reason === "SHUTDOWN" && this.stopsAtShutdown) {
      const chain = debuggee.exits.faultChain;
      const guest = this.onShutdown(chain.length > 0 ? chain : ["the guest's triple fault"]);
      if (guest) return guest;
    }
    if (this.exitBreakpoints.length === 0) return undefined;
    const wanted = this.exitBreakpoints.filter((each) => each.exits?.(reason));
    const hit = this.reach(wanted, () => exitNames(debuggee, exit));
    const [first] = hit;
    if (first === undefined) return undefined;
    const filter = hit.find(({ breakpoint }) => breakpoint.filter !== undefined)?.breakpoint.filter;
    const description = `Paused on #VMEXIT ${reason} (exit ${exit.number})`;
    const text = exitInWords(exit);
    return {
      reason: filter === undefined ? "breakpoint" : "exception",
      description,
      text,
      hitBreakpointIds: hit.map(({ breakpoint }) => breakpoint.id),
      exception: { id: filter ?? "exit", details: exitTitle(exit, debuggee.machine) },
      ...problemText(hit),
    };
  }

  onShutdown(faults: readonly string[]): Stop | undefined {
    if (!this.stopsAtShutdown) return undefined;
    const filter = this.all.find((each) => each.filter === "shutdown");
    const outcome = filter?.options?.reach(() => this.namesHere());
    if (filter && outcome?.kind !== "stop") return undefined;
    const text = faults.join(", then ");
    return {
      reason: "exception",
      description: "Paused on shutdown, before the reset",
      text,
      exception: { id: "shutdown", details: `The CPU shuts down: ${text}` },
      ...(filter ? { hitBreakpointIds: [filter.id] } : {}),
    };
  }

  private namesHere(): Names {
    if (this.debuggee === undefined) throw new Error("No machine is loaded");
    return frameNames(this.debuggee);
  }

  private reach(
    breakpoints: readonly Breakpoint[],
    names: () => Names,
  ): { breakpoint: Breakpoint; outcome: Outcome & { kind: "stop" } }[] {
    const hit = [];
    for (const breakpoint of breakpoints) {
      const outcome = breakpoint.options?.reach(names);
      if (outcome?.kind === "log") this.events.log(outcome.text);
      if (outcome?.kind === "stop") hit.push({ breakpoint, outcome });
    }
    return hit;
  }
}

function isMoved(now: Breakpoint, before: Breakpoint | undefined): boolean {
  return now.line !== before?.line || now.message !== before?.message;
}

function problemText(hit: readonly { outcome: { problem?: string } }[]): { text?: string } {
  const problem = hit.find(({ outcome }) => outcome.problem !== undefined)?.outcome.problem;
  return problem === undefined ? {} : { text: `The breakpoint stops because ${problem}.` };
}
