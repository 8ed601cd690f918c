/** Searches for culprits, which replay a second machine a slice at a time beside the session's. */
import { lastAt, type SeekProgress } from "../../emulator/index.ts";
import { type Culprit, findCulprit, runAgain } from "../../invariants/index.ts";
import { type BootPlan, bootMachine } from "../boot.ts";
import { Debuggee } from "../debuggee.ts";
import { showNumber } from "../format.ts";
import type { ViolationFrame } from "../protocol.ts";
import type { Services } from "../services.ts";
import { frameName } from "../stack/frame-name.ts";
import { CallStack } from "../stack.ts";
import { messageOf } from "../text.ts";
import type { SeenViolation } from "./violation-history.ts";

type Steps = Generator<SeekProgress, Culprit, undefined>;

/** Of a stack without an end nobody reads more. */
const MOST_FRAMES = 50;

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
    this.waiting.set(seen, this.search(seen));
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
    const { done, value } = (this.waiting.get(seen) as Steps).next();
    if (!done) return value;
    this.waiting.delete(seen);
    seen.culprit = value;
    this.found(seen);
    return { icount: seen.violation.icount };
  }

  /**
   * The search itself, which notes the stack too. It goes from the session's own snapshots: another
   * machine takes them up with what the debugger remembers at each.
   */
  *search(seen: Omit<SeenViolation, "culprit">): Steps {
    const { violation } = seen;
    const { timeline: past, images, configuration } = this.debuggee;
    const inputs = [...(past?.inputs.all ?? [])];
    const lent = past?.snapshots.lend(lastAt(violation.icount));
    try {
      const machine = bootMachine(this.plan);
      const twin = new Debuggee(machine, images, { ...configuration, recording: false });
      const { followers } = twin;
      const snapshots = lent?.all ?? [];
      const timeline = runAgain(machine, violation, { inputs, snapshots, followers });
      const culprit = yield* findCulprit(timeline, violation);
      if (culprit.kind === "write") seen.stack = stackOf(twin);
      return culprit;
    } catch (caught) {
      return { kind: "diverged", reason: messageOf(caught) };
    } finally {
      lent?.giveBack();
    }
  }
}

/** The frames where the machine stands, innermost first. */
function stackOf(debuggee: Debuggee): ViolationFrame[] {
  const show = showNumber("hexadecimal");
  return new CallStack(debuggee).slice(0, MOST_FRAMES).map((frame) => {
    if (frame.kind === "label") return { name: frame.name };
    const name = frameName(debuggee, frame, undefined, show);
    const { location } = frame;
    return location === undefined ? { name } : { name, path: location.path, line: location.line };
  });
}
