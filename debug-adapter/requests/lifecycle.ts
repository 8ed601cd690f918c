/** Requests that begin and end a session. */
import { planBoot } from "../boot.ts";
import { loadedIn } from "../context.ts";
import { CONTINUE } from "../execution.ts";
import { readLaunchArguments } from "../launch-arguments.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { EXIT_FILTERS } from "../protocol.ts";
import { UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

const CONDITION_HELP =
  'For example reason == "IOIO" && port == 0x3f8. Names: reason, code, exitinfo1, exitinfo2, port, size, in, msr, write, gpa, leaf, rip, number and the guest\'s registers.';

const FILTERS: DP.ExceptionBreakpointsFilter[] = EXIT_FILTERS.map(([filter, label]) => ({
  filter,
  label,
  default: filter === "shutdown" || filter === "invariant",
  ...(filter.startsWith("exit")
    ? { supportsCondition: true, conditionDescription: CONDITION_HELP }
    : {}),
}));

const CAPABILITIES: DP.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  exceptionBreakpointFilters: FILTERS,
  supportsExceptionFilterOptions: true,
  supportsExceptionInfoRequest: true,
  supportsSetVariable: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsDelayedStackTraceLoading: true,
  supportsLoadedSourcesRequest: true,
  supportsModulesRequest: true,
  supportsBreakpointLocationsRequest: true,
  supportsInstructionBreakpoints: true,
  supportsSteppingGranularity: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsCancelRequest: true,
  supportsClipboardContext: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ["$", "."],
};

export const lifecycleRequests: Handlers<
  | "initialize"
  | "launch"
  | "attach"
  | "configurationDone"
  | "restart"
  | "disconnect"
  | "terminate"
  | "cancel"
> = {
  initialize: ({ client }, args) => {
    client.linesStartAt1 = args.linesStartAt1 ?? true;
    client.columnsStartAt1 = args.columnsStartAt1 ?? true;
    client.supportsMemoryEvent = args.supportsMemoryEvent ?? false;
    client.supportsInvalidatedEvent = args.supportsInvalidatedEvent ?? false;
    return CAPABILITIES;
  },

  launch: async (context, args) => {
    if (context.loaded !== undefined) throw new UserError("A machine is launched already.");
    const plan = await planBoot(readLaunchArguments(args), context.services.files);
    await context.load(plan);
    for (const note of plan.notes) {
      context.emit("output", { category: "console", output: `${note}\n` });
    }
    context.afterResponse(() => context.emit("initialized", undefined));
    return undefined;
  },

  attach: () => {
    throw new UserError("Attaching is not supported yet: launch a machine instead.");
  },

  configurationDone: (context) => {
    loadedIn(context);
    start(context);
    return undefined;
  },

  restart: async (context, args) => {
    const { plan } = loadedIn(context);
    const given = (args as { arguments?: object }).arguments;
    const isLaunch = given !== undefined && "kernel" in given;
    await context.load(
      isLaunch ? await planBoot(readLaunchArguments(given), context.services.files) : plan,
    );
    start(context);
    return undefined;
  },

  disconnect: (context) => {
    context.loaded?.execution.dispose();
    context.loaded = undefined;
    return undefined;
  },

  terminate: (context) => {
    context.afterResponse(() => context.terminate());
    return undefined;
  },

  // Every request is answered before the next is looked at, so nothing is left to cancel.
  cancel: () => undefined,
};

function start(context: Parameters<Handlers<"launch">["launch"]>[0]): void {
  const { plan } = loadedIn(context);
  context.afterResponse(() => {
    if (plan.configuration.stopOnEntry) {
      context.stopped({ reason: "entry", description: "Paused before the first instruction" });
    } else context.resume(CONTINUE);
  });
}
