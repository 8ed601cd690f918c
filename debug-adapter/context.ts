/** The state of a session that requests work on. */

import type { SessionAddresses } from "./addresses/session-addresses.ts";
import type { BootPlan } from "./boot.ts";
import type { Breakpoints } from "./breakpoints.ts";
import type { Debuggee } from "./debuggee.ts";
import type { InvariantWatch } from "./invariants/invariant-watch.ts";
import type { Progress } from "./progress.ts";
import type { CustomEvents, DebugProtocol, NumberFormat, StepPolicy } from "./protocol.ts";
import type { Goal, Journey, Runner, Stop } from "./runner.ts";
import type { Services } from "./services.ts";
import type { CallStack } from "./stack.ts";
import { RunningError, UserError } from "./text.ts";
import type { UndefinedOpcodes } from "./undefined-opcodes.ts";
import type { VariableHandles } from "./variables.ts";

/** Events by name, with their bodies. */
export interface SessionEvents extends CustomEvents {
  readonly initialized: undefined;
  readonly stopped: DebugProtocol.StoppedEvent["body"];
  readonly continued: DebugProtocol.ContinuedEvent["body"];
  readonly exited: DebugProtocol.ExitedEvent["body"];
  readonly terminated: DebugProtocol.TerminatedEvent["body"] | undefined;
  readonly output: DebugProtocol.OutputEvent["body"];
  readonly breakpoint: DebugProtocol.BreakpointEvent["body"];
  readonly invalidated: DebugProtocol.InvalidatedEvent["body"];
  readonly memory: DebugProtocol.MemoryEvent["body"];
  readonly module: DebugProtocol.ModuleEvent["body"];
  readonly loadedSource: DebugProtocol.LoadedSourceEvent["body"];
  readonly thread: DebugProtocol.ThreadEvent["body"];
  readonly progressStart: DebugProtocol.ProgressStartEvent["body"];
  readonly progressUpdate: DebugProtocol.ProgressUpdateEvent["body"];
  readonly progressEnd: DebugProtocol.ProgressEndEvent["body"];
}

export interface Client {
  linesStartAt1: boolean;
  columnsStartAt1: boolean;
  supportsMemoryEvent: boolean;
  supportsInvalidatedEvent: boolean;
  numberFormat: NumberFormat;
}

export interface Loaded {
  readonly plan: BootPlan;
  readonly debuggee: Debuggee;
  readonly runner: Runner;
  readonly invariants: InvariantWatch;
  readonly opcodes: UndefinedOpcodes;
}

export interface Context {
  readonly services: Services;
  readonly client: Client;
  readonly progress: Progress;
  readonly breakpoints: Breakpoints;
  readonly variables: VariableHandles;
  readonly addresses: SessionAddresses;
  /** The machine of the session, once launched. */
  loaded: Loaded | undefined;
  /** Of the launch, until the client sets another. */
  stepPolicy: StepPolicy;
  /** Why the machine stands still. */
  stop: Stop | undefined;
  emit<E extends keyof SessionEvents>(event: E, body: SessionEvents[E]): void;
  /** Makes the machine of the plan, or takes one that was parked, and attaches everything to it. */
  load(plan: BootPlan, parked?: Debuggee): Promise<void>;
  /** Lets go of the machine, which stays as it is to be attached to; its name, if that is possible. */
  park(): string | undefined;
  /** Lets go of the machine for good. */
  close(): void;
  resume(goal: Goal): void;
  /** Goes through the past, with progress under that title; what it leads to is a stop. */
  travel(journey: Journey, title: string): void;
  stopped(stop: Stop): void;
  /** Ends the debuggee; the session goes on until the client disconnects. */
  terminate(): void;
  /** The stack of the stopped machine; made once a stop. Throws a UserError while it runs. */
  stack(): CallStack;
  /** The user changed the machine: frames are made anew, and the client asks again. */
  changed(): void;
  /** Runs `body` after the response has been sent. */
  afterResponse(body: () => void): void;
}

export const THREAD = 1;

/** Throws a UserError for any thread but the one vCPU. */
export function checkThread(threadId: number): void {
  if (threadId === THREAD) return;
  throw new UserError(
    `There is no thread ${threadId}: the machine's one vCPU is thread ${THREAD}.`,
  );
}

/** The loaded machine. Throws a UserError before launch. */
export function loadedIn(context: Context): Loaded {
  if (context.loaded === undefined) throw new UserError("No machine is loaded: launch first.");
  return context.loaded;
}

/** The loaded machine, standing still and able to run on. Throws a UserError if not. */
export function resumableIn(context: Context): Loaded {
  const loaded = stoppedIn(context);
  if (loaded.runner.isOver) throw new UserError("The machine has ended: restart it.");
  return loaded;
}

/** The loaded machine, standing still. Throws a UserError while it runs. */
export function stoppedIn(context: Context): Loaded {
  const loaded = loadedIn(context);
  if (loaded.runner.isRunning) throw new RunningError();
  return loaded;
}
