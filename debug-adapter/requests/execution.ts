/** Requests that run the machine and stop it. */
import { type Context, checkThread, loadedIn, resumableIn, stoppedIn, THREAD } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { CONTINUE, PAUSED, type Stop } from "../runner.ts";
import { sourceFramesAt } from "../stack/source-frames.ts";
import { CrossingGoal } from "../stepping/crossing.ts";
import { type StepTarget, stepTargets } from "../stepping/step-targets.ts";
import { Stepper, type StepRequest } from "../stepping/stepper.ts";
import { UserError } from "../text.ts";
import { threadName } from "../threads.ts";
import { frameOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

/** Stepping into an inlined call runs nothing: its first instruction is here. */
function intoInlined(debuggee: Debuggee, stop: Stop, depth: number): Stop {
  const { inlineDepth: _, ...shown } = stop;
  const { linearRip } = debuggee;
  const image = debuggee.images.at(debuggee.world, linearRip);
  const all = image === undefined ? 0 : sourceFramesAt(image.symbols, linearRip).length;
  const stepped = { ...shown, reason: "step" as const, description: "Paused after step" };
  return depth >= all ? stepped : { ...stepped, inlineDepth: depth };
}

interface StepArguments {
  readonly threadId: number;
  readonly granularity?: DP.SteppingGranularity;
  readonly targetId?: number;
}

function step(context: Context, kind: StepRequest["kind"], args: StepArguments): undefined {
  const { debuggee } = resumableIn(context);
  checkThread(args.threadId);
  const { stop, stepPolicy: policy } = context;
  const { disassembler } = context.services;
  const granularity = args.granularity === "instruction" ? "instruction" : "line";
  const enters = args.targetId === undefined ? undefined : targetOf(context, args.targetId).enters;
  if (enters !== undefined && "crossing" in enters) {
    const goal = new CrossingGoal(debuggee, enters.crossing);
    context.afterResponse(() => context.resume(goal));
    return undefined;
  }
  const inlineDepth = stop?.inlineDepth;
  if (
    enters === undefined &&
    inlineDepth !== undefined &&
    kind === "in" &&
    granularity === "line"
  ) {
    context.afterResponse(() =>
      context.stopped(intoInlined(debuggee, stop as Stop, inlineDepth + 1)),
    );
    return undefined;
  }
  const into = enters?.call;
  const request = { kind, granularity, policy, inlineDepth, into } as const;
  const goal = new Stepper(debuggee, disassembler, request);
  context.afterResponse(() => context.resume(goal));
  return undefined;
}

/** Targets count from 1. */
function targetOf(context: Context, id: number): StepTarget {
  const { debuggee } = stoppedIn(context);
  const target = stepTargets(debuggee, context.services.disassembler)[id - 1];
  if (target === undefined) throw new UserError(`There is no target ${id} to step into here.`);
  return target;
}

export const executionRequests: Handlers<
  | "threads"
  | "continue"
  | "pause"
  | "next"
  | "stepIn"
  | "stepOut"
  | "stepInTargets"
  | "terminateThreads"
  | "minvisor/setStepPolicy"
> = {
  threads: (context) => {
    const { loaded } = context;
    if (loaded === undefined) return { threads: [] };
    const { debuggee, runner } = loaded;
    const name = runner.isRunning ? "vCPU 0" : threadName(debuggee);
    return { threads: [{ id: THREAD, name }] };
  },

  continue: (context, args) => {
    resumableIn(context);
    checkThread(args.threadId);
    context.afterResponse(() => context.resume(CONTINUE));
    return { allThreadsContinued: true };
  },

  pause: (context, args) => {
    const { runner } = loadedIn(context);
    checkThread(args.threadId);
    context.afterResponse(() => {
      runner.pause(PAUSED);
    });
    return undefined;
  },

  next: (context, args) => step(context, "over", args),
  stepIn: (context, args) => step(context, "in", args),
  stepOut: (context, args) => step(context, "out", args),

  stepInTargets: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const frame = frameOf(context, args.frameId);
    // Only where the CPU is can a step enter anything.
    const isHere = frame.kind === "code" && frame.depth === 0 && frame.world === debuggee.world;
    if (!isHere) return { targets: [] };
    const lineBase = context.client.linesStartAt1 ? 0 : 1;
    const targets = stepTargets(debuggee, context.services.disassembler);
    return {
      targets: targets.map(({ label, line }, i) => ({
        id: i + 1,
        label,
        ...(line === undefined ? {} : { line: line - lineBase }),
      })),
    };
  },

  terminateThreads: (context, args) => {
    loadedIn(context);
    const ids = args.threadIds ?? [];
    if (ids.length === 0) throw new UserError("terminateThreads names no thread to end.");
    for (const id of ids) checkThread(id);
    const output = "The machine has one vCPU: ending it ends the machine.\n";
    context.emit("output", { category: "console", output });
    context.afterResponse(() => context.terminate());
    return undefined;
  },

  "minvisor/setStepPolicy": (context, { policy }) => {
    context.stepPolicy = policy;
    return { policy };
  },
};
