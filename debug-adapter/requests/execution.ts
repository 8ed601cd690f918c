/** Requests that run the machine and stop it. */
import { type Context, loadedIn, resumableIn, THREAD } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import { CONTINUE, type Stop } from "../execution.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { Stepper, type StepRequest } from "../stepper.ts";
import type { Handlers } from "./types.ts";

/** Stepping into an inlined call runs nothing: its first instruction is here. */
function intoInlined(debuggee: Debuggee, stop: Stop, depth: number): Stop {
  const { inlineDepth: _, ...shown } = stop;
  const all = debuggee.images.at(debuggee.world, debuggee.linearRip);
  const isInnermost = depth >= (all?.symbols.framesAt(debuggee.linearRip).length ?? 0);
  const stepped = { ...shown, reason: "step" as const, description: "Paused after step" };
  return isInnermost ? stepped : { ...stepped, inlineDepth: depth };
}

function step(
  context: Context,
  kind: StepRequest["kind"],
  granularity: DP.SteppingGranularity | undefined,
): undefined {
  const { debuggee } = resumableIn(context);
  const { stop } = context;
  const entered = stop?.inlineDepth;
  if (entered !== undefined && kind === "in" && granularity !== "instruction") {
    context.afterResponse(() => context.stopped(intoInlined(debuggee, stop as Stop, entered + 1)));
    return undefined;
  }
  const goal = new Stepper(debuggee, context.services.disassembler, {
    kind,
    granularity: granularity === "instruction" ? "instruction" : "line",
    inlineDepth: entered,
  });
  context.afterResponse(() => context.resume(goal));
  return undefined;
}

export const executionRequests: Handlers<
  "threads" | "continue" | "pause" | "next" | "stepIn" | "stepOut"
> = {
  threads: (context) => {
    const { loaded } = context;
    if (loaded === undefined) return { threads: [] };
    const { debuggee, execution } = loaded;
    const { world, spaces } = debuggee;
    const where = world === "host" ? "host" : `guest ${spaces.guest ?? 1}`;
    const name = execution.isRunning ? "vCPU 0" : `vCPU 0 · ${where}`;
    return { threads: [{ id: THREAD, name }] };
  },

  continue: (context) => {
    resumableIn(context);
    context.afterResponse(() => context.resume(CONTINUE));
    return { allThreadsContinued: true };
  },

  pause: (context) => {
    const { execution } = loadedIn(context);
    context.afterResponse(() => {
      execution.pause({ reason: "pause", description: "Paused" });
    });
    return undefined;
  },

  next: (context, args) => step(context, "over", args.granularity),
  stepIn: (context, args) => step(context, "in", args.granularity),
  stepOut: (context, args) => step(context, "out", args.granularity),
};
