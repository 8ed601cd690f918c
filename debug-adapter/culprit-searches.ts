/** Searches for culprits, which replay a second machine a slice at a time beside the session's. */
import type { SeekProgress } from "../emulator/index.ts";
import {
  type Culprit,
  findCulprit,
  type SearchProgress,
  type Violation,
} from "../invariants/index.ts";
import { type BootPlan, bootMachine } from "./boot.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Services } from "./services.ts";
import { messageOf } from "./text.ts";
import type { SeenViolation } from "./violation-history.ts";

type Steps = Generator<SearchProgress, Culprit, undefined>;

/** One at a time: each has a machine of its own. */
export class CulpritSearches {
  private readonly services: Services;
  private readonly plan: BootPlan;
  private readonly debuggee: Debuggee;
  private readonly found: (seen: SeenViolation) => void;
  /** In their order; the first one runs. */
  private readonly waiting = new Map<SeenViolation, Steps>();
  private cancel: (() => void) | undefined;

  constructor(
    services: Services,
    plan: BootPlan,
    debuggee: Debuggee,
    found: (seen: SeenViolation) => void,
  ) {
    this.services = services;
    this.plan = plan;
    this.debuggee = debuggee;
    this.found = found;
  }

  /** Looks for it between messages, unless it is known; `found` is called when it is. */
  start(seen: SeenViolation): void {
    if (seen.culprit !== undefined || this.waiting.has(seen)) return;
    this.waiting.set(seen, this.search(seen.violation));
    this.cancel ??= this.services.schedule(() => this.advance(), 0);
  }

  /** Looks for it as fast as it is asked, from where it has come to. */
  *finish(seen: SeenViolation): Generator<SeekProgress, Culprit> {
    while (seen.culprit === undefined) {
      this.start(seen);
      yield this.step(seen);
    }
    return seen.culprit;
  }

  dispose(): void {
    this.cancel?.();
    for (const steps of this.waiting.values()) steps.return({ kind: "registers" });
    this.waiting.clear();
  }

  private advance(): void {
    this.cancel = undefined;
    const [next] = this.waiting.keys();
    if (next === undefined) return;
    this.step(next);
    this.cancel = this.services.schedule(() => this.advance(), 0);
  }

  private step(seen: SeenViolation): SeekProgress {
    const { icount } = seen.violation;
    const { done, value } = (this.waiting.get(seen) as Steps).next();
    if (!done) return { done: value.icount, total: value.end };
    this.waiting.delete(seen);
    seen.culprit = value;
    this.found(seen);
    return { done: icount, total: icount };
  }

  private *search(violation: Violation): Steps {
    const inputs = [...(this.debuggee.timeline?.inputs.all ?? [])];
    try {
      return yield* findCulprit(() => bootMachine(this.plan), violation, inputs);
    } catch (caught) {
      return { kind: "diverged", reason: messageOf(caught) };
    }
  }
}
