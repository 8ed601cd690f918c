/** Searches for culprits, which replay a second machine a slice at a time beside the session's. */
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

interface Search {
  readonly steps: Steps;
  cancel(): void;
}

export class CulpritSearches {
  private readonly services: Services;
  private readonly plan: BootPlan;
  private readonly debuggee: Debuggee;
  private readonly found: (seen: SeenViolation) => void;
  private readonly running = new Map<SeenViolation, Search>();

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
    if (seen.culprit !== undefined || this.running.has(seen)) return;
    const steps = this.search(seen.violation);
    let cancel = () => {};
    const advance = () => {
      const { done, value } = steps.next();
      if (done) this.end(seen, value);
      else cancel = this.services.schedule(advance, 0);
    };
    this.running.set(seen, { steps, cancel: () => cancel() });
    cancel = this.services.schedule(advance, 0);
  }

  /** Looks for it as fast as it is asked, where one that runs has come to. */
  *finish(seen: SeenViolation): Generator<{ done: number; total: number }, Culprit> {
    if (seen.culprit !== undefined) return seen.culprit;
    this.start(seen);
    const search = this.running.get(seen) as Search;
    search.cancel();
    for (;;) {
      const { done, value } = search.steps.next();
      if (done) {
        this.end(seen, value);
        return value;
      }
      yield { done: value.icount, total: value.end };
    }
  }

  dispose(): void {
    for (const { steps, cancel } of this.running.values()) {
      cancel();
      steps.return({ kind: "registers" });
    }
    this.running.clear();
  }

  private end(seen: SeenViolation, culprit: Culprit): void {
    this.running.delete(seen);
    seen.culprit = culprit;
    this.found(seen);
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
