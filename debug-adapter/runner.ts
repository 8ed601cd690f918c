/** Runs the machine in short slices between messages, until a goal, a breakpoint, a pause or its end. */
import type { Instant, ObserverEvents, RunResult, SeekProgress } from "../emulator/index.ts";
import type { Debuggee } from "./debuggee.ts";
import { JourneyProgress } from "./journey-progress.ts";
import type { Undertaking } from "./progress.ts";
import type { Services } from "./services.ts";

/** Why the debuggee stopped, as the stopped event tells it. */
export interface Stop {
  readonly reason:
    | ("entry" | "step" | "pause" | "exception" | "goto" | "restart")
    | ("breakpoint" | "function breakpoint" | "data breakpoint");
  readonly description: string;
  /** More text for the client, e.g. the chain of faults. */
  readonly text?: string;
  readonly hitBreakpointIds?: readonly number[];
  /** The place is shown as in this many source frames: those inlined further in are not entered yet. */
  readonly inlineDepth?: number;
  /** For exceptionInfo: the filter, and details. */
  readonly exception?: { readonly id: string; readonly details: string };
}

/** What a run is for. Events come while the machine runs; returning true stops it for `reached`. */
export interface Goal {
  /** One instruction at a time. */
  readonly isSingle: boolean;
  onExecute?(linear: bigint, guest: boolean): boolean;
  onExit?(): boolean;
  onVmrun?(): boolean;
  /** Before the delivery; a stop comes after it. */
  onException?(event: ObserverEvents["exception"]): boolean;
  /** After each run of the machine, when nothing else stopped it. */
  reached(): Stop | undefined;
  /** The run ends, whether reached or not. */
  end?(): void;
}

/** Breakpoints that hit at an event; undefined lets the machine go on. */
export interface StopSources {
  /** The past is searched for the last stop: sources count and log nothing. */
  readonly isSearching: boolean;
  onExecute(place: ExecutePlace): Stop | undefined;
  onExit(): Stop | undefined;
  onShutdown(faults: readonly string[]): Stop | undefined;
  /** What was reached by events of the source's own since it was asked last. */
  take(): Stop | undefined;
  /** The machine stands still, and the client is told next. */
  beforeStop(): void;
}

/** The instruction that is about to run. */
export interface ExecutePlace {
  readonly linear: bigint;
  /** Undefined where it cannot be fetched. */
  readonly physical: number | undefined;
  readonly guest: boolean;
}

/** A way through the past, a piece at a time; it ends with the stop where it led to. */
export type Journey = Generator<SeekProgress, Stop>;

export interface RunnerEvents {
  /** Between two slices of a run. */
  runs(): void;
  /** A way through the past takes long; `cancelled` ends it where the client wants that. */
  travels(title: string, cancelled: () => void): Undertaking;
  stopped(stop: Stop): void;
  /** The machine has ended by itself. */
  ended(result: RunResult): void;
  /** The run failed inside the debugger. */
  failed(caught: unknown): void;
}

/** Two stops at one instant: the first one tells the reason. */
export function joinStops(first: Stop, second: Stop): Stop {
  const ids = [...(first.hitBreakpointIds ?? []), ...(second.hitBreakpointIds ?? [])];
  const texts = [first.text, second.text].filter((text) => text !== undefined);
  return {
    ...first,
    ...(texts.length === 0 ? {} : { text: [...new Set(texts)].join(" ") }),
    ...(ids.length === 0 ? {} : { hitBreakpointIds: [...new Set(ids)] }),
  };
}

const SLICE_MS = 8;
const FIRST_SLICE = 100_000;
const LEAST_SLICE = 2_000;
const LONGEST_SLEEP_MS = 20;
const NS_PER_MS = 1e6;

/** As the user wanted it. */
export const PAUSED: Stop = { reason: "pause", description: "Paused" };

export const CONTINUE: Goal = { isSingle: false, reached: () => undefined };

/** Where the machine was when it was resumed: its breakpoint is not to hit again at once. */
interface ResumePoint {
  readonly linear: bigint;
  readonly stack: bigint;
  readonly icount: number;
  readonly world: string;
  interrupted: boolean;
}

export class Runner {
  private readonly services: Services;
  private readonly debuggee: Debuggee;
  private readonly sources: StopSources;
  private readonly events: RunnerEvents;
  private goal: Goal | undefined;
  private journey: Journey | undefined;
  /** Where the journey began, and in which future. */
  private home: { readonly at: Instant; readonly future: number } | undefined;
  private progress: JourneyProgress | undefined;
  private pending: Stop | undefined;
  private resumePoint: ResumePoint | undefined;
  private cancelTimer: (() => void) | undefined;
  private sliceInstructions = FIRST_SLICE;
  private readonly detach: () => void;
  /** The machine has ended: nothing can run any more. */
  isOver = false;

  constructor(services: Services, debuggee: Debuggee, sources: StopSources, events: RunnerEvents) {
    this.services = services;
    this.debuggee = debuggee;
    this.sources = sources;
    this.events = events;
    this.detach = debuggee.machine.observe({
      name: "debugger",
      on: {
        execute: (place) => this.onExecute(place),
        exit: () => {
          if (this.isDeaf) return undefined;
          this.noteInterruption();
          this.pending ??= this.sources.onExit();
          return this.goal?.onExit?.() || this.pending ? "stop" : undefined;
        },
        vmrun: () => (!this.isDeaf && this.goal?.onVmrun?.() ? "stop" : undefined),
        exception: (event) => {
          if (this.isDeaf) return undefined;
          this.noteInterruption();
          return this.goal?.onException?.(event) ? "stop" : undefined;
        },
        shutdown: ({ faults }) => {
          if (this.isDeaf) return undefined;
          this.pending ??= this.sources.onShutdown(faults);
          return this.pending ? "stop" : undefined;
        },
      },
    });
  }

  get isRunning(): boolean {
    return this.goal !== undefined || this.journey !== undefined;
  }

  /** The machine only comes to an instant again. */
  private get isDeaf(): boolean {
    return this.debuggee.timeline?.isReplaying === true && !this.sources.isSearching;
  }

  /** Goes through the past; the events tell where it ends. `title` is for a client that waits. */
  travel(journey: Journey, title: string): void {
    const { machine, timeline } = this.debuggee;
    this.progress = new JourneyProgress(this.services.now(), () =>
      this.events.travels(title, () => this.goHome(PAUSED)),
    );
    this.home = { at: machine.instant, future: timeline?.future ?? 0 };
    this.pending = undefined;
    this.resumePoint = undefined;
    this.journey = journey;
    this.schedule(0);
  }

  /** The stop that the run, or a search of the past, has met since it was asked last. */
  takeMet(): Stop | undefined {
    const taken = this.sources.take();
    const met = this.pending && taken ? joinStops(this.pending, taken) : (this.pending ?? taken);
    this.pending = undefined;
    return met;
  }

  /** Starts to run; the events tell how it ends. */
  resume(goal: Goal): void {
    const { machine } = this.debuggee;
    this.goal = goal;
    this.pending = undefined;
    this.resumePoint = {
      linear: this.debuggee.linearRip,
      stack: machine.state.rsp,
      icount: machine.icount,
      world: this.debuggee.world,
      interrupted: false,
    };
    this.schedule(0);
  }

  /** Stops at once, between instructions; false if it was not running. */
  pause(stop: Stop): boolean {
    if (this.journey !== undefined) {
      this.goHome(stop);
      return true;
    }
    if (!this.isRunning) return false;
    this.finish(stop);
    return true;
  }

  /** Stops the machine at this instant from an observer of the caller's own. */
  stopWith(stop: Stop): void {
    this.pending ??= stop;
  }

  /** Something came from outside (console input): an idle machine looks again. */
  wake(): void {
    if (this.isRunning) this.schedule(0);
  }

  /** No event comes after this. */
  dispose(): void {
    this.cancelTimer?.();
    this.goal?.end?.();
    this.goal = undefined;
    this.endJourney();
    this.isOver = true;
    this.detach();
  }

  private schedule(delayMs: number): void {
    this.cancelTimer?.();
    this.cancelTimer = this.services.schedule(() => this.slice(), delayMs);
  }

  private slice(): void {
    this.cancelTimer = undefined;
    try {
      const sleep = this.journey === undefined ? this.runSlice() : this.travelOn(this.journey);
      if (this.goal !== undefined) this.events.runs();
      if (this.isRunning) this.schedule(sleep);
    } catch (caught) {
      this.goal = undefined;
      this.endJourney();
      this.events.failed(caught);
    }
  }

  /** Returns how long to sleep before the next slice. */
  private runSlice(): number {
    const { goal, services } = this;
    if (goal === undefined) return 0;
    const deadline = services.now() + SLICE_MS;
    do {
      const sleep = this.runOnce(goal);
      if (sleep !== undefined) return sleep;
    } while (this.goal === goal && goal.isSingle && services.now() < deadline);
    return 0;
  }

  private travelOn(journey: Journey): number {
    const deadline = this.services.now() + SLICE_MS;
    for (;;) {
      const { done, value } = journey.next();
      if (this.journey !== journey) return 0;
      if (done) {
        this.endJourney();
        this.finish(value);
        return 0;
      }
      const now = this.services.now();
      if (now < deadline) continue;
      this.progress?.goesOn(now, value.icount);
      return 0;
    }
  }

  private endJourney(): void {
    this.journey = undefined;
    this.progress?.end();
    this.progress = undefined;
  }

  /** The client has had enough: back to where the journey began. */
  private goHome(stop: Stop): void {
    const { timeline } = this.debuggee;
    const { home, journey } = this;
    if (timeline === undefined || home === undefined) return;
    journey?.return(stop);
    this.home = undefined;
    this.journey = (function* () {
      yield* timeline.seek(home.at, home.future);
      return stop;
    })();
  }

  /** One run of the machine; a number is how long to sleep after it. */
  private runOnce(goal: Goal): number | undefined {
    const { machine, timeline } = this.debuggee;
    const started = this.services.now();
    const [icount, ticks] = [machine.icount, machine.ticks];
    const result = (timeline ?? machine).run({
      instructions: goal.isSingle ? 1 : this.sliceInstructions,
      idleTicks: SLICE_MS * NS_PER_MS,
    });
    this.debuggee.recordingFile?.keepUp();
    const met = this.takeMet();
    if (met !== undefined) {
      this.finish(met);
      return undefined;
    }
    if (result.reason !== "budget" && result.reason !== "idle" && result.reason !== "observer") {
      this.stopGoal();
      this.isOver = result.reason !== "notImplemented";
      this.events.ended(result);
      return undefined;
    }
    const reached = goal.reached();
    if (reached !== undefined) {
      this.finish(reached);
      return undefined;
    }
    if (!goal.isSingle) this.adapt(this.services.now() - started, machine.icount - icount);
    if (result.reason !== "idle") return undefined;
    return this.idleSleep(result.forever, machine.ticks - ticks - (machine.icount - icount));
  }

  /** Slices that take about SLICE_MS of CPU, whatever the machine does in them. */
  private adapt(elapsedMs: number, retired: number): void {
    if (retired < this.sliceInstructions / 2 && elapsedMs < SLICE_MS) return;
    const factor = Math.min(2, Math.max(0.25, SLICE_MS / Math.max(elapsedMs, 0.5)));
    this.sliceInstructions = Math.max(LEAST_SLICE, Math.round(this.sliceInstructions * factor));
  }

  /** An idle machine follows the wall clock and leaves the processor alone. */
  private idleSleep(forever: boolean, idleTicks: number): number {
    if (forever) return 1000;
    if (!this.debuggee.configuration.pacing) return 0;
    return Math.min(LONGEST_SLEEP_MS, idleTicks / NS_PER_MS);
  }

  private stopGoal(): void {
    this.cancelTimer?.();
    this.goal?.end?.();
    this.goal = undefined;
  }

  private finish(stop: Stop): void {
    this.pending = undefined;
    this.stopGoal();
    const joined = this.withBreakpointsHere(stop);
    this.sources.beforeStop();
    this.events.stopped(joined);
  }

  /** Breakpoints at the place of any stop count as hit: resuming passes them. */
  private withBreakpointsHere(stop: Stop): Stop {
    if (["breakpoint", "pause", "entry", "goto"].includes(stop.reason)) {
      return stop;
    }
    const here = this.sources.onExecute(this.debuggee.executePlace());
    if (here?.hitBreakpointIds === undefined) return stop;
    if (stop.reason === "step") return here;
    const ids = [...(stop.hitBreakpointIds ?? []), ...here.hitBreakpointIds];
    return { ...stop, hitBreakpointIds: [...new Set(ids)] };
  }

  private onExecute(place: ExecutePlace): "stop" | undefined {
    const { linear, guest } = place;
    if (this.isDeaf) return undefined;
    if (this.isResumePoint(linear)) return undefined;
    if (this.goal?.onExecute?.(linear, guest)) return "stop";
    this.pending ??= this.sources.onExecute(place);
    return this.pending === undefined ? undefined : "stop";
  }

  private isResumePoint(linear: bigint): boolean {
    const point = this.resumePoint;
    if (point === undefined || point.linear !== linear || point.world !== this.debuggee.world) {
      return false;
    }
    const { machine } = this.debuggee;
    if (machine.icount === point.icount) return true;
    return point.interrupted && machine.state.rsp === point.stack;
  }

  /** An interrupt before the first instruction: its return comes to the same breakpoint again. */
  private noteInterruption(): void {
    const point = this.resumePoint;
    if (point?.icount === this.debuggee.machine.icount) point.interrupted = true;
  }
}
