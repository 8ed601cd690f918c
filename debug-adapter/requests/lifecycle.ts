/** Requests that begin and end a session. */
import { type BootPlan, planBoot, planRecorded } from "../boot.ts";
import { type Context, loadedIn, resumableIn } from "../context.ts";
import { readLaunchArguments, readRecordedRunArguments } from "../launch-arguments.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { type AttachAttributes, EXIT_FILTERS } from "../protocol.ts";
import { CONTINUE } from "../runner.ts";
import { UserError } from "../text.ts";
import { BEGINNING, seekEnd } from "../time-travel/journeys.ts";
import { MODULE_COLUMNS } from "./sources.ts";
import type { Handlers } from "./types.ts";

const CONDITION_HELP =
  'For example reason == "IOIO" && port == 0x3f8. Names: reason, code, exitinfo1, exitinfo2, port, size, in, msr, write, gpa, leaf, rip, number and the guest\'s registers.';

const DELIVERY_HELP =
  "For example vector == 13 && errorCode != 0. Names: vector, name, errorCode, address (of #PF) and what the place knows: registers, C variables.";

function conditionHelp(filter: string): string {
  if (filter === "shutdown")
    return "For example $rip > 0x1000. Names: faults, registers and C variables.";
  if (filter === "invariant") return 'For example invariant == "npt_protects_hypervisor".';
  return filter.startsWith("exit") ? CONDITION_HELP : DELIVERY_HELP;
}

const FILTERS: DP.ExceptionBreakpointsFilter[] = EXIT_FILTERS.map(([filter, label]) => ({
  filter,
  label,
  default: filter === "shutdown" || filter === "invariant",
  supportsCondition: true,
  conditionDescription: conditionHelp(filter),
}));

const CODE_BREAKPOINTS = ["source", "instruction"] as const;
const BREAKPOINT_MODES: DP.BreakpointMode[] = [
  {
    mode: "any",
    label: "Host and guest",
    description: "Stops in whatever world runs the code",
    appliesTo: [...CODE_BREAKPOINTS],
  },
  {
    mode: "host",
    label: "Host only",
    description: "Stops outside VMRUN only",
    appliesTo: [...CODE_BREAKPOINTS],
  },
  {
    mode: "guest",
    label: "Guest only",
    description: "Stops inside VMRUN only",
    appliesTo: [...CODE_BREAKPOINTS],
  },
];

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
  supportsSetExpression: true,
  supportsValueFormattingOptions: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsDelayedStackTraceLoading: true,
  supportsLoadedSourcesRequest: true,
  supportsModulesRequest: true,
  supportsBreakpointLocationsRequest: true,
  supportsInstructionBreakpoints: true,
  supportsDataBreakpoints: true,
  supportsDataBreakpointBytes: true,
  breakpointModes: BREAKPOINT_MODES,
  supportsSteppingGranularity: true,
  supportsStepInTargetsRequest: true,
  supportsGotoTargetsRequest: true,
  supportsTerminateThreadsRequest: true,
  supportsSingleThreadExecutionRequests: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsCancelRequest: true,
  supportsStepBack: true,
  supportsRestartFrame: true,
  supportsANSIStyling: true,
  supportedChecksumAlgorithms: ["SHA256"],
  additionalModuleColumns: MODULE_COLUMNS,
  supportsClipboardContext: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ["$", ".", ">", "@", "!", "("],
};

const NO_PARKING =
  "This adapter ends with its session, so no machine can wait in it: start one with `minvisor dap --port N` and connect to it.";

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
  initialize: ({ client, progress, services }, args) => {
    client.linesStartAt1 = args.linesStartAt1 ?? true;
    client.columnsStartAt1 = args.columnsStartAt1 ?? true;
    client.supportsMemoryEvent = args.supportsMemoryEvent ?? false;
    client.supportsInvalidatedEvent = args.supportsInvalidatedEvent ?? false;
    progress.isShown = args.supportsProgressReporting ?? false;
    return { ...CAPABILITIES, supportSuspendDebuggee: services.parked !== undefined };
  },

  launch: async (context, args) => {
    if (context.loaded !== undefined) throw new UserError("A machine is launched already.");
    const plan = await planFor(context, args);
    await begin(context, plan);
    return undefined;
  },

  attach: async (context, args) => {
    const { parked } = context.services;
    if (context.loaded !== undefined) throw new UserError("A machine is launched already.");
    const attributes = args as AttachAttributes;
    const { machine, recording } = attributes;
    if (recording !== undefined) {
      if (machine !== undefined) {
        throw new UserError('Attach takes a "machine" or a "recording", not both.');
      }
      await begin(context, await recordedPlan(context, attributes));
      return undefined;
    }
    if (machine !== undefined && typeof machine !== "string") {
      throw new UserError(`Attach attribute "machine" must be a text such as "1".`);
    }
    if (parked === undefined) throw new UserError(NO_PARKING);
    const taken = parked.take(machine);
    await context.load(taken.plan, taken.debuggee);
    context.afterResponse(() => context.emit("initialized", undefined));
    return undefined;
  },

  configurationDone: (context) => {
    resumableIn(context);
    start(context);
    return undefined;
  },

  restart: async (context, args) => {
    const { plan, invariants: before } = loadedIn(context);
    const given = (args as { arguments?: object }).arguments;
    const isLaunch = given !== undefined && "kernel" in given;
    await context.load(isLaunch ? await planFor(context, given) : plan);
    loadedIn(context).invariants.takePolicies(before);
    start(context);
    return undefined;
  },

  disconnect: (context, args) => {
    // VS Code's Disconnect says both, `terminateDebuggee: false` and `suspendDebuggee: false`.
    const leaves = args.suspendDebuggee || args.terminateDebuggee === false;
    const name = leaves ? context.park() : undefined;
    if (name !== undefined) {
      const output = `The machine stands still and waits as "${name}" to be attached to.\n`;
      context.emit("output", { category: "console", output });
    }
    context.close();
    return undefined;
  },

  terminate: (context) => {
    context.afterResponse(() => context.terminate());
    return undefined;
  },

  // The session answers it ahead of the requests that wait.
  cancel: () => undefined,
};

async function begin(context: Context, plan: BootPlan): Promise<void> {
  await context.load(plan);
  const tell = (category: "console" | "important") => (text: string) =>
    context.emit("output", { category, output: `${text}\n` });
  plan.notes.forEach(tell("console"));
  plan.warnings.forEach(tell("important"));
  context.afterResponse(() => context.emit("initialized", undefined));
}

function recordedPlan(context: Context, attributes: AttachAttributes): Promise<BootPlan> {
  const given = readRecordedRunArguments(attributes);
  const { files, codec } = context.services;
  return context.progress.during("Loading the recording", (task) =>
    planRecorded(given, files, codec, task),
  );
}

/** Run Without Debugging sets no breakpoints and stops nowhere: nobody would let the machine go on. */
function planFor(context: Context, attributes: object & { noDebug?: unknown }): Promise<BootPlan> {
  const given = attributes.noDebug ? { ...attributes, stopOnEntry: false } : attributes;
  const configuration = readLaunchArguments(given);
  return context.progress.during("Loading the machine", (task) =>
    planBoot(configuration, context.services.files, task),
  );
}

/** Lets the machine run, or stops where it is meant to: a machine that was attached to stands still. */
function start(context: Context): void {
  const { plan, debuggee } = loadedIn(context);
  context.afterResponse(() => {
    if (debuggee.machine.icount > 0) {
      context.stopped({ reason: "pause", description: "Paused where it was left" });
      return;
    }
    const { timeline } = debuggee;
    if (plan.recorded !== undefined && timeline !== undefined) {
      if (plan.recorded.at === "end")
        context.travel(seekEnd(timeline), "Going to the end of the recording");
      else context.stopped(BEGINNING);
    } else if (plan.configuration.stopOnEntry) {
      context.stopped({ reason: "entry", description: "Paused before the first instruction" });
    } else context.resume(CONTINUE);
  });
}
