/** The steps that the CPU took before an instant, newest first: found by doing a stretch again. */
import {
  compareInstants,
  type Instant,
  type SeekProgress,
  type Timeline,
} from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { World } from "../register-file.ts";

/** The CPU before an instruction or an event. */
export interface Step {
  readonly at: Instant;
  readonly linear: bigint;
  readonly stack: bigint;
  readonly world: World;
  readonly guest: number | undefined;
  readonly ring: number;
}

const FIRST_STRETCH = 200;
const LONGEST_STRETCH = 20_000;

/** Where the machine stands. */
export function stepHere(debuggee: Debuggee): Step {
  const { machine, world, spaces, linearRip: linear } = debuggee;
  const { rsp: stack, cpl: ring } = machine.state;
  return { at: machine.instant, linear, stack, world, guest: spaces.guest, ring };
}

export class StepsBefore {
  private readonly debuggee: Debuggee;
  private readonly timeline: Timeline;
  /** Oldest first; all of them directly before `end`. */
  private steps: Step[] = [];
  private end: Instant;
  private stretch = FIRST_STRETCH;

  constructor(debuggee: Debuggee, timeline: Timeline, end: Instant) {
    this.debuggee = debuggee;
    this.timeline = timeline;
    this.end = end;
  }

  /** The step before the last one that was taken; undefined at reset. */
  *take(): Generator<SeekProgress, Step | undefined> {
    if (this.steps.length === 0) yield* this.load();
    const step = this.steps.pop();
    if (step !== undefined) this.end = step.at;
    return step;
  }

  /** What is known already, newest first. */
  *known(): Iterable<Step> {
    for (let i = this.steps.length - 1; i >= 0; i--) yield this.steps[i] as Step;
  }

  /** Goes on from an earlier instant: what came between is skipped. */
  skipTo(end: Instant): void {
    this.end = end;
    while (compareInstants(this.steps.at(-1)?.at ?? end, end) > 0) this.steps.pop();
    const last = this.steps.at(-1);
    if (last !== undefined && compareInstants(last.at, end) === 0) this.steps.pop();
  }

  private *load(): Generator<SeekProgress, void> {
    const { end, timeline, debuggee } = this;
    yield* timeline.seekIcount(Math.max(0, end.icount - this.stretch));
    const steps: Step[] = [];
    yield* timeline.crawl(end, () => steps.push(stepHere(debuggee)));
    this.steps = steps;
    this.stretch = Math.min(LONGEST_STRETCH, this.stretch * 4);
  }
}
