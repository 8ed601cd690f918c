/** Puts breakpoints into the machine: only what differs from what is there already changes. */
import type { Debuggee } from "../debuggee.ts";
import type { ImagePresence } from "../images/image-presence.ts";
import type { ExecutePlace } from "../runner.ts";
import type { Breakpoint, Hit, Place, Trigger } from "./breakpoint.ts";

type LinearPlace = Extract<Place, { kind: "linear" }>;
type PhysicalPlace = Extract<Place, { kind: "physical" }>;
type Reach = (breakpoint: Breakpoint, hit: Hit) => "stop" | undefined;

interface Armed {
  breakpoint: Breakpoint;
  readonly release: () => void;
}

export class Placement {
  private readonly debuggee: Debuggee;
  private readonly presence: ImagePresence;
  private byLinear = new Map<bigint, { place: LinearPlace; breakpoint: Breakpoint }[]>();
  private byPhysical = new Map<number, { place: PhysicalPlace; breakpoint: Breakpoint }[]>();
  private readonly armed = new Map<Trigger, Armed>();
  private reach: Reach = () => undefined;

  constructor(debuggee: Debuggee, presence: ImagePresence) {
    this.debuggee = debuggee;
    this.presence = presence;
  }

  /** `reach` is asked at the events of triggers. */
  place(breakpoints: readonly Breakpoint[], reach: Reach): void {
    const linear: typeof this.byLinear = new Map();
    const physical: typeof this.byPhysical = new Map();
    for (const breakpoint of breakpoints) {
      for (const place of breakpoint.places ?? []) {
        if (place.kind === "physical") append(physical, place.address, { place, breakpoint });
        else append(linear, place.address, { place, breakpoint });
      }
    }
    const { engine } = this.debuggee.machine.cpu;
    for (const at of missing(linear, this.byLinear)) engine.addBreakpoint(at);
    for (const at of missing(this.byLinear, linear)) engine.removeBreakpoint(at);
    for (const at of missing(physical, this.byPhysical)) engine.addPhysicalBreakpoint(at);
    for (const at of missing(this.byPhysical, physical)) engine.removePhysicalBreakpoint(at);
    this.byLinear = linear;
    this.byPhysical = physical;
    this.reach = reach;
    this.arm(breakpoints);
  }

  private arm(breakpoints: readonly Breakpoint[]): void {
    const wanted = new Map(
      breakpoints.flatMap((each) =>
        each.trigger && each.state === "verified" ? [[each.trigger, each] as const] : [],
      ),
    );
    for (const [trigger, { release }] of this.armed) {
      if (wanted.has(trigger)) continue;
      this.armed.delete(trigger);
      release();
    }
    for (const [trigger, breakpoint] of wanted) {
      const known = this.armed.get(trigger);
      if (known) {
        known.breakpoint = breakpoint;
        continue;
      }
      this.armOne(trigger, breakpoint);
    }
  }

  private armOne(trigger: Trigger, breakpoint: Breakpoint): void {
    const armed: Armed = {
      breakpoint,
      release: trigger.arm(
        this.debuggee,
        (hit) => this.reach(armed.breakpoint, hit),
        () => armed.breakpoint.options?.hits ?? 0,
      ),
    };
    this.armed.set(trigger, armed);
  }

  /** Arms all triggers anew, at the machine's present state. */
  rearm(): void {
    for (const [trigger, { breakpoint, release }] of [...this.armed]) {
      release();
      this.armOne(trigger, breakpoint);
    }
  }

  clear(): void {
    this.place([], () => undefined);
  }

  /** The breakpoints at an instruction, in the order in which they were made. */
  at({ linear, physical, guest }: ExecutePlace): Breakpoint[] {
    const world = guest ? "guest" : "host";
    const found = new Set<Breakpoint>();
    for (const { place, breakpoint } of this.byPhysical.get(physical ?? -1) ?? []) {
      if (breakpoint.mode === "own" && (place.world ?? world) !== world) continue;
      found.add(breakpoint);
    }
    for (const { place, breakpoint } of this.byLinear.get(linear) ?? []) {
      if (place.world !== world || found.has(breakpoint)) continue;
      if (place.image && !this.presence.holds(place.image, linear)) continue;
      found.add(breakpoint);
    }
    return [...found]
      .filter(({ mode }) => mode === "any" || mode === "own" || mode === world)
      .sort((a, b) => a.id - b.id);
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** Keys that the first map has and the second has not. */
function missing<K>(wanted: ReadonlyMap<K, unknown>, there: ReadonlyMap<K, unknown>): K[] {
  return [...wanted.keys()].filter((key) => !there.has(key));
}
