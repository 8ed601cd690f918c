/** Requests that go through the past. */
import { recordingOf } from "../../emulator/index.ts";
import { findData } from "../breakpoints/data.ts";
import { watchTarget } from "../breakpoints/watch-target.ts";
import { type Context, checkThread, stoppedIn, THREAD } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import { frameNames } from "../names.ts";
import { placeName } from "../place-access.ts";
import type { DebugProtocol as DP, SeekArguments } from "../protocol.ts";
import { codeBits } from "../register-file.ts";
import type { Journey } from "../runner.ts";
import { type CodeFrame, worldFrames } from "../stack.ts";
import { UserError } from "../text.ts";
import { BackStepper, type BackStepRequest } from "../time-travel/back-stepper.ts";
import { tableOf } from "../time-travel/compare-futures.ts";
import { condition } from "../time-travel/condition.ts";
import { consoleText } from "../time-travel/console-text.ts";
import { inquire } from "../time-travel/inquiry.ts";
import {
  exitInstant,
  frameEntry,
  goTo,
  knownEntry,
  outOf,
  previousExit,
  restartFrame,
  restartGuest,
  restartUnknown,
  reverseContinue,
  seekEnd,
  seekFuture,
  seekIcount,
  seekMet,
  stepBack,
} from "../time-travel/journeys.ts";
import { lastWriter } from "../time-travel/last-writer.ts";
import { firstViolation, toCulprit } from "../time-travel/violations.ts";
import { whyExit } from "../time-travel/why.ts";
import { history } from "../time-travel/writes.ts";
import { futureOf } from "./futures.ts";
import { recordedIn } from "./recorded.ts";
import { codeFrameOf, frameOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

const MOST_WRITES = 10_000;
/** More source frames than a machine frame ever has. */
const MOST_INLINED = 100;

function travel(context: Context, title: string, journey: Journey): undefined {
  context.afterResponse(() => context.travel(journey, title));
  return undefined;
}

function back(
  context: Context,
  kind: "over" | "in",
  given: DP.SteppingGranularity | undefined,
): undefined {
  const { timeline } = recordedIn(context);
  const granularity = given === "instruction" ? "instruction" : "line";
  const stepper = stepperOf(context, { kind, granularity, policy: context.stepPolicy });
  return travel(context, "Stepping back", stepBack(timeline, stepper()));
}

/** Back to the call of the innermost frame: to its line where there is one, or to the instruction. */
function backOut(context: Context, given: DP.SteppingGranularity | undefined): undefined {
  const { debuggee, timeline } = recordedIn(context);
  const innermost = context.stack().at(0);
  if (innermost?.kind !== "code") throw new UserError("There is no frame to go out of.");
  const bytes = codeBits(innermost.registers) / 8;
  const place = knownEntry(debuggee, innermost, bytes);
  const granularity = given === "instruction" ? "instruction" : "line";
  const journey = outOf(debuggee, timeline, place, outStepper(context, granularity));
  return travel(context, "Going back to the call", journey);
}

/** Makes steppers, each from where the machine is then. */
function stepperOf(context: Context, request: BackStepRequest): () => BackStepper {
  const { debuggee, timeline } = recordedIn(context);
  const { disassembler } = context.services;
  return () => new BackStepper(debuggee, timeline, disassembler, request);
}

/** Over calls, in one world. */
const outStepper = (context: Context, granularity: BackStepRequest["granularity"]) =>
  stepperOf(context, { kind: "over", granularity, policy: "sameWorld" });

/** Is the frame the outermost of its world? */
function isOutermost(debuggee: Debuggee, { world, depth }: CodeFrame): boolean {
  const frames = worldFrames(debuggee, world, MOST_INLINED + depth);
  return !frames.some((each) => each.depth > depth);
}

function seekCondition(
  context: Context,
  { condition: text = "", ...args }: SeekArguments,
): undefined {
  const { timeline } = recordedIn(context);
  const { target } = context.breakpoints;
  if (target === undefined) throw new Error("No machine is loaded");
  const names = frameNames(target.debuggee, codeFrameOf(context, undefined));
  const { arm, asked, problem, holds } = condition(target, text, args.at, names);
  const why = () => {
    const cause = problem();
    const failed = cause === undefined ? "" : ` Where it could not be evaluated: ${cause}`;
    return `It was asked at ${asked}.${failed}`;
  };
  const name = `the condition ${text}`;
  const journey = seekMet(timeline, arm, args.occurrence ?? "last", name, why, holds);
  return travel(context, `Looking for ${name}`, journey);
}

function seek(context: Context, args: SeekArguments): undefined {
  const { icount, exit, to, console } = args;
  if (icount !== undefined && icount < 0) throw new UserError(`There is no icount ${icount}.`);
  const { debuggee, timeline } = recordedIn(context);
  const future = args.future === undefined ? undefined : futureOf(timeline, args.future);
  if (exit !== undefined) {
    const stop = { reason: "goto", description: `Paused on exit ${exit}` } as const;
    const number = future?.number ?? timeline.future;
    const at = exitInstant(tableOf(debuggee, timeline, number), exit);
    return travel(context, `Going to exit ${exit}`, goTo(timeline, at, stop, number));
  }
  if (future !== undefined) {
    const title = `Going into future ${future.number}`;
    return travel(context, title, seekFuture(timeline, future, icount));
  }
  if (args.condition !== undefined) return seekCondition(context, args);
  if (args.violation !== undefined) {
    const { invariants } = stoppedIn(context);
    const title = `Looking for the first violation of ${args.invariant ?? "an invariant"}`;
    return travel(context, title, firstViolation(timeline, invariants, args.invariant));
  }
  if (args.culprit !== undefined) {
    const { invariants } = stoppedIn(context);
    const title = `Looking for the culprit of ${args.culprit}`;
    return travel(context, title, toCulprit(timeline, invariants, args.culprit));
  }
  if (console !== undefined) {
    const { text, port, occurrence = "last" } = console;
    const name = `${JSON.stringify(text)} on ${port ?? "a console"}`;
    const journey = seekMet(timeline, consoleText(debuggee, text, port), occurrence, name);
    return travel(context, `Looking for ${name}`, journey);
  }
  if (icount !== undefined) {
    return travel(context, `Going to icount ${icount}`, seekIcount(timeline, icount));
  }
  if (to === "previousExit") {
    const journey = previousExit(debuggee, timeline);
    return travel(context, "Going to the previous exit", journey);
  }
  if (to === "start") return travel(context, "Going to the start", seekIcount(timeline, 0));
  if (to === "end") return travel(context, "Going to the end", seekEnd(timeline));
  throw new UserError(
    "minvisor/seek needs an icount, an exit, a console text, a condition, or where to go.",
  );
}

/** A request of ours does not tell the client that the machine goes, as one of DAP's does. */
function announced(context: Context, request: () => undefined): undefined {
  context.afterResponse(() =>
    context.emit("continued", { threadId: THREAD, allThreadsContinued: true }),
  );
  return request();
}

export const timeRequests: Handlers<
  | ("stepBack" | "reverseContinue" | "restartFrame")
  | (
      | "minvisor/seek"
      | "minvisor/reverse"
      | "minvisor/lastWriter"
      | "minvisor/history"
      | "minvisor/why"
      | "minvisor/saveRecording"
      | "minvisor/timeline"
      | "minvisor/allowFork"
    )
> = {
  stepBack: (context, args) => {
    checkThread(args.threadId);
    // One instruction is one instruction; a line is left by the way over its calls.
    const kind = args.granularity === "instruction" ? "in" : "over";
    return back(context, kind, args.granularity);
  },

  reverseContinue: (context, args) => {
    checkThread(args.threadId);
    const { timeline } = recordedIn(context);
    const { runner } = stoppedIn(context);
    const journey = reverseContinue(timeline, runner, context.breakpoints);
    return travel(context, "Looking for the stop before this one", journey);
  },

  restartFrame: (context, args) => {
    const { debuggee, timeline } = recordedIn(context);
    const frame = frameOf(context, args.frameId);
    if (frame.kind !== "code") throw new UserError("This line of the stack is no frame.");
    if (frame.world === "guest" && isOutermost(debuggee, frame)) {
      return travel(context, "Going back to VMRUN", restartGuest(debuggee, timeline));
    }
    const bytes = codeBits(frame.registers) / 8;
    const stepper = outStepper(context, "instruction");
    const isRunning = frame.depth === 0 && frame.world === debuggee.world;
    if (isRunning && knownEntry(debuggee, frame, bytes) === undefined) {
      const title = `Going to where ${frame.name} was entered`;
      return travel(context, title, restartUnknown(timeline, stepper()));
    }
    const entry = frameEntry(debuggee, frame, bytes);
    const journey = restartFrame(debuggee, timeline, entry, stepper);
    return travel(context, `Going to the start of ${entry.name}`, journey);
  },

  "minvisor/seek": (context, args) => announced(context, () => seek(context, args)),

  "minvisor/reverse": (context, args) => {
    checkThread(args.threadId);
    const { kind, granularity } = args;
    return announced(context, () =>
      kind === "out" ? backOut(context, granularity) : back(context, kind, granularity),
    );
  },

  "minvisor/lastWriter": (context, args) =>
    announced(context, () => {
      const { debuggee, timeline } = recordedIn(context);
      const place = watchTarget(context, args);
      const title = `Looking for what wrote ${placeName(place)} last`;
      return travel(context, title, lastWriter(debuggee, timeline, place));
    }),

  "minvisor/history": (context, args) => {
    const { debuggee, timeline } = recordedIn(context);
    const { start = 0, count = 100, ...target } = args;
    if (start < 0 || count < 1 || start + count > MOST_WRITES) {
      throw new UserError(
        `${count} values after the newest ${start} cannot be given: 1 to ${MOST_WRITES} are possible.`,
      );
    }
    const place = watchTarget(context, target);
    findData(debuggee, place, "write");
    const title = `Looking for writes of ${placeName(place)}`;
    return inquire(context, timeline, title, history(debuggee, timeline, place, start, count));
  },

  "minvisor/why": (context, { exit }) => {
    const { debuggee, timeline } = recordedIn(context);
    const number = exit ?? debuggee.machine.state.exitCount;
    const at = exitInstant(debuggee.ledger?.table, number);
    return inquire(context, timeline, `Why exit ${number}`, whyExit(debuggee, timeline, at));
  },

  "minvisor/saveRecording": async (context, { path: given }) => {
    const { timeline, debuggee } = recordedIn(context);
    const { plan } = stoppedIn(context);
    const { files, codec } = context.services;
    const path = files.resolve(given, plan.configuration.cwd);
    if (debuggee.recordingFile?.writes(path)) {
      throw new UserError(`${path} is what this session records into: give another name.`);
    }
    const recording = recordingOf(timeline, plan.start, codec, debuggee.ledger);
    const sink = await files.openForWriting(path);
    try {
      sink.write(recording);
    } finally {
      sink.close();
    }
    return { path, bytes: recording.length };
  },

  "minvisor/timeline": (context) => {
    const { debuggee } = stoppedIn(context);
    const { timeline, machine, ledger } = debuggee;
    return {
      isRecording: timeline !== undefined,
      isInPast: timeline?.isInPast ?? false,
      icount: machine.icount,
      endIcount: timeline?.endOfTime.icount ?? machine.icount,
      exit: machine.state.exitCount,
      exits: ledger?.table.extent ?? machine.state.exitCount,
      snapshotBytes: timeline?.snapshots.bytes ?? 0,
      snapshots: timeline?.snapshots.all.length ?? 0,
      future: timeline?.future ?? 1,
      futures: timeline?.futures.length ?? 1,
    };
  },

  "minvisor/allowFork": (context) => {
    recordedIn(context).timeline.mayFork = true;
    return undefined;
  },
};
