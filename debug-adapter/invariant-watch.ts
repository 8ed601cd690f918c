/** Checks invariants on the running machine, stops at a violation and looks for its culprit. */
import {
  type AttachedInvariants,
  attachInvariants,
  type Culprit,
  findCulprit,
  type Violation,
} from "../invariants/index.ts";
import { type BootPlan, bootMachine } from "./boot.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Stop } from "./execution.ts";
import type { InvariantStatus, SourceLine, ViolationBody } from "./protocol.ts";
import type { Services } from "./services.ts";
import { messageOf, UserError } from "./text.ts";

export interface InvariantEvents {
  /** Within an instruction: the machine stops behind it. */
  violated(stop: Stop): void;
  /** The search for the culprit has ended. */
  explained(body: ViolationBody): void;
}

export class InvariantWatch {
  private readonly services: Services;
  private readonly plan: BootPlan;
  private readonly debuggee: Debuggee;
  private readonly events: InvariantEvents;
  private readonly attached: AttachedInvariants | undefined;
  private readonly searches = new Set<() => void>();

  /** Throws a UserError for an unknown invariant or a range that means nothing. */
  constructor(services: Services, plan: BootPlan, debuggee: Debuggee, events: InvariantEvents) {
    this.services = services;
    this.plan = plan;
    this.debuggee = debuggee;
    this.events = events;
    const { invariants } = plan.configuration;
    const hypervisorMemory = plan.configuration.hypervisorMemory.map(({ start, end }) => ({
      first: start,
      bytes: end - start,
    }));
    if (invariants === false) return;
    try {
      this.attached = attachInvariants(debuggee.machine, {
        ...(invariants === true ? {} : { names: invariants }),
        ...(hypervisorMemory.length === 0 ? {} : { hypervisorMemory }),
        stopOnViolation: true,
        onViolation: (violation) => this.violated(violation),
      });
    } catch (caught) {
      if (!(caught instanceof RangeError)) throw caught;
      throw new UserError(`Launch attribute "invariants": ${caught.message}.`);
    }
  }

  status(): InvariantStatus[] {
    return (this.attached?.status() ?? []).map(({ name, state, checked }) => ({
      name,
      verdict: state,
      checks: checked,
    }));
  }

  dispose(): void {
    for (const cancel of this.searches) cancel();
    this.searches.clear();
    this.attached?.detach();
  }

  private violated(violation: Violation): void {
    if (this.debuggee.timeline?.isReplaying) return;
    const { invariant, message, expected, actual } = violation;
    this.events.violated({
      reason: "exception",
      description: `Paused on violation of ${invariant}`,
      text: `${message}. Expected: ${expected}. Actual: ${actual}.`,
      exception: { id: "invariant", details: `${invariant}: ${message}` },
    });
    this.search(violation);
  }

  /** Replays from reset beside the session, a slice at a time. */
  private search(violation: Violation): void {
    let steps: ReturnType<typeof findCulprit> | undefined;
    let cancel = () => {};
    const stop = () => cancel();
    const finish = (culprit: Culprit) => {
      this.searches.delete(stop);
      this.explain(violation, culprit);
    };
    const advance = () => {
      try {
        steps ??= findCulprit(() => bootMachine(this.plan), violation);
        const { done, value } = steps.next();
        if (done) finish(value);
        else cancel = this.services.schedule(advance, 0);
      } catch (caught) {
        finish({ kind: "diverged", reason: messageOf(caught) });
      }
    };
    this.searches.add(stop);
    cancel = this.services.schedule(advance, 0);
  }

  private explain(violation: Violation, culprit: Culprit): void {
    const { images } = this.debuggee;
    const { invariant, expected, actual, icount, vmrunRip } = violation;
    const line = (world: "host" | "guest", rip: bigint): SourceLine | undefined => {
      const found = images.sourceAt(world, rip);
      return found && { path: found.path, line: found.line };
    };
    let message = violation.message;
    if (culprit.kind === "neverSet") message += ". Never set: nothing has written it since reset";
    if (culprit.kind === "diverged") message += `. Its writer was not found: ${culprit.reason}`;
    this.events.explained({
      invariant,
      message,
      expected,
      actual,
      icount,
      culprit: culprit.kind === "write" ? line(culprit.world, culprit.rip) : undefined,
      vmrun: line("host", vmrunRip),
    });
  }
}
