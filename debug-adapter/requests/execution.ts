/** Requests that run the machine and stop it. */
import { type Context, loadedIn, stoppedIn, THREAD } from "../context.ts";
import { CONTINUE } from "../execution.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { Stepper, type StepRequest } from "../stepper.ts";
import type { Handlers } from "./types.ts";

function step(
  context: Context,
  kind: StepRequest["kind"],
  granularity: DP.SteppingGranularity | undefined,
): undefined {
  const { debuggee } = stoppedIn(context);
  const goal = new Stepper(debuggee, context.services.disassembler, {
    kind,
    granularity: granularity === "instruction" ? "instruction" : "line",
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
    stoppedIn(context);
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
