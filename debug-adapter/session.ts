/** One debug session over a message transport: dispatches requests and fences their errors. */
import { PastError, type RunResult } from "../emulator/index.ts";
import { SessionAddresses } from "./addresses/session-addresses.ts";
import { type BootPlan, boot } from "./boot.ts";
import { LogOutput } from "./breakpoints/log-output.ts";
import { Breakpoints } from "./breakpoints.ts";
import { OutputPace } from "./console/output-pace.ts";
import { ConsoleOutput } from "./console.ts";
import { type Context, type Loaded, type SessionEvents, stoppedIn, THREAD } from "./context.ts";
import type { Debuggee } from "./debuggee.ts";
import { InvariantWatch } from "./invariants/invariant-watch.ts";
import { CancelledError, Progress } from "./progress.ts";
import {
  type ConsolePort,
  type DebugProtocol as DP,
  ERROR_IDS,
  type NumberFormat,
  type StepPolicy,
} from "./protocol.ts";
import { openRecordingFile, recordInto } from "./recordings/session-recording.ts";
import { checkedArguments } from "./requests/arguments.ts";
import { answer } from "./requests/breakpoints.ts";
import { tellImageChange } from "./requests/sources.ts";
import { isRequestName, REQUESTS } from "./requests/table.ts";
import type { Handler, RequestName } from "./requests/types.ts";
import { type Goal, type Journey, Runner, type Stop } from "./runner.ts";
import type { FileSink, MessageTransport, Services } from "./services.ts";
import { CallStack } from "./stack.ts";
import { messageOf, oneLine, QuietError, UserError } from "./text.ts";
import { threadName } from "./threads.ts";
import { UndefinedOpcodes } from "./undefined-opcodes.ts";
import { VariableHandles } from "./variables.ts";

/** The client writes their errors where the expression stands: no message of its own is needed. */
const SHOWN_IN_PLACE: ReadonlySet<string> = new Set(["evaluate", "completions"]);
const CONSOLE_PORTS = ["com1", "com2"] as const;

export class DebugSession implements Context {
  readonly services: Services;
  readonly client = {
    linesStartAt1: true,
    columnsStartAt1: true,
    supportsMemoryEvent: false,
    supportsInvalidatedEvent: false,
    numberFormat: "hexadecimal" as NumberFormat,
  };
  readonly progress: Progress;
  private readonly outputPace = new OutputPace(() => this.services);
  private readonly logOutput = new LogOutput(
    () => this.services,
    (output) => this.emit("output", { category: "console", output }),
    this.outputPace,
  );
  readonly breakpoints = new Breakpoints({
    log: (text) => this.logOutput.add(text),
    changed: (breakpoint) =>
      this.emit("breakpoint", { reason: "changed", breakpoint: answer(this, breakpoint) }),
    important: (text) => this.important(text),
    stopped: () => this.logOutput.flush(),
  });
  readonly variables = new VariableHandles();
  readonly addresses = new SessionAddresses();
  loaded: Loaded | undefined;
  stop: Stop | undefined;
  stepPolicy: StepPolicy = "sameWorld";
  private readonly transport: MessageTransport;
  private console: ConsoleOutput | undefined;
  private callStack: CallStack | undefined;
  private shownThread: string | undefined;
  private sequence = 1;
  private afterwards: (() => void)[] = [];
  /** Requests are answered in the order in which they came. */
  private queue: Promise<void> = Promise.resolve();
  /** Requests by seq that have come and are not looked at yet, and those of them to be dropped. */
  private readonly waiting = new Set<number>();
  private readonly cancelled = new Set<number>();
  private hasTerminated = false;
  private stopListening: () => void = () => {};

  constructor(transport: MessageTransport, services: Services) {
    this.transport = transport;
    this.services = services;
    this.progress = new Progress(
      {
        started: (body) => this.emit("progressStart", body),
        reported: (body) => this.emit("progressUpdate", body),
        ended: (body) => this.emit("progressEnd", body),
      },
      () => new Promise((resolve) => void services.schedule(resolve, 0)),
    );
    transport.onMessage((message) => {
      if (message.type !== "request") return;
      const request = message as DP.Request;
      if (request.command === "cancel") {
        this.cancel(request);
        return;
      }
      this.waiting.add(request.seq);
      this.queue = this.queue.then(() => this.answer(request));
    });
    transport.onClose(() => this.close());
  }

  /** Answered at once, ahead of the requests that wait: those it names end as cancelled. */
  private cancel(request: DP.Request): void {
    const { requestId, progressId } = (request.arguments ?? {}) as DP.CancelArguments;
    if (requestId !== undefined && this.waiting.has(requestId)) this.cancelled.add(requestId);
    if (progressId !== undefined) this.progress.cancel(progressId);
    this.respond(request, { success: true });
  }

  private async answer(request: DP.Request): Promise<void> {
    const { command } = request;
    this.afterwards = [];
    this.waiting.delete(request.seq);
    try {
      if (this.cancelled.delete(request.seq)) throw new CancelledError();
      if (!isRequestName(command)) throw new UserError(`There is no request "${command}".`);
      const handler = REQUESTS[command] as Handler<RequestName>;
      const body = await handler(this, checkedArguments(command, request.arguments));
      this.respond(request, { success: true, ...(body === undefined ? {} : { body }) });
    } catch (caught) {
      const text = caught instanceof CancelledError ? caught.message : sentence(caught);
      const isQuiet = caught instanceof QuietError || caught instanceof CancelledError;
      const showUser = !isQuiet && !SHOWN_IN_PLACE.has(command);
      const id = caught instanceof PastError ? ERROR_IDS.past : ERROR_IDS.other;
      const error = { id, format: text.replace(/[{}]/g, "'"), showUser };
      this.respond(request, { success: false, message: text, body: { error } });
      this.afterwards = [];
    }
    for (const body of this.afterwards.splice(0)) this.fenced(body);
  }

  private respond(
    request: DP.Request,
    result: { success: boolean; message?: string; body?: unknown },
  ): void {
    const { seq: request_seq, command } = request;
    const response: DP.Response = {
      type: "response",
      seq: this.sequence++,
      request_seq,
      command,
      ...result,
    };
    this.transport.send(response);
  }

  /** What happens outside a request must not end the session either. */
  private fenced(body: () => void): void {
    try {
      body();
    } catch (caught) {
      this.important(sentence(caught));
    }
  }

  emit<E extends keyof SessionEvents>(event: E, body: SessionEvents[E]): void {
    const message: DP.Event = { type: "event", seq: this.sequence++, event };
    this.transport.send(body === undefined ? message : ({ ...message, body } as DP.Event));
  }

  afterResponse(body: () => void): void {
    this.afterwards.push(body);
  }

  async load(plan: BootPlan, parked?: Debuggee): Promise<void> {
    this.loaded?.debuggee.recordingFile?.finish();
    const sinks = await this.openSinks(plan);
    const { files, codec } = this.services;
    const file = parked ? undefined : await openRecordingFile(plan.configuration, files);
    this.unload();
    const debuggee = parked ?? boot(plan);
    if (file) debuggee.recordingFile = recordInto(file, plan.start, debuggee, codec);
    if (file?.former) this.say(`The recording before this one is kept as ${file.former}.`);
    debuggee.recordingFile?.onProblem((text) => this.important(text));
    this.stepPolicy = plan.configuration.stepPolicy;
    this.console = this.consoleOf(plan, debuggee, sinks);
    const runner = new Runner(this.services, debuggee, this.breakpoints, {
      runs: () => this.loaded?.invariants.tellSometimes(),
      travels: (title, cancelled) => this.progress.begin(title, cancelled),
      stopped: (stop) => this.stopped(stop),
      ended: (result) => this.ended(result),
      failed: (caught) => this.failed(caught),
    });
    const opcodes = new UndefinedOpcodes(debuggee, (text) => this.important(text));
    const invariants = this.watchInvariants(plan, debuggee, runner);
    this.loaded = { plan, debuggee, runner, invariants, opcodes };
    this.hasTerminated = false;
    this.breakpoints.attach(debuggee);
    if (debuggee.timeline) debuggee.timeline.onWentBack = () => this.breakpoints.wentBack();
    const { kernel } = debuggee;
    if (kernel) {
      kernel.isAwaited = () => this.breakpoints.mayNameCode;
      kernel.tell = (text) => this.say(text);
    }
    this.stopListening = debuggee.images.onChanged((change) => {
      tellImageChange(this, change);
      this.breakpoints.imageChanged(change.image);
    });
  }

  private consoleOf(
    { configuration }: BootPlan,
    debuggee: Debuggee,
    sinks: ReadonlyMap<ConsolePort, FileSink>,
  ): ConsoleOutput {
    const shown = CONSOLE_PORTS.filter((_, i) => configuration.serial[i] === "stdio");
    const events = {
      text: (port: ConsolePort, text: string) => this.emit("minvisor/console", { port, text }),
      output: (output: string) => this.emit("output", { category: "stdout", output }),
      pace: this.outputPace,
    };
    return new ConsoleOutput(this.services, debuggee, events, shown, sinks);
  }

  private say(text: string): void {
    this.emit("output", { category: "console", output: `${text}\n` });
  }

  private important(text: string): void {
    this.emit("output", { category: "important", output: `${text}\n` });
  }

  private watchInvariants(plan: BootPlan, debuggee: Debuggee, runner: Runner): InvariantWatch {
    const { breakpoints } = this;
    return new InvariantWatch(this.services, plan, debuggee, {
      violated: (stop) => {
        const wanted = this.breakpoints.onViolation(stop);
        if (wanted) runner.stopWith(wanted);
        return wanted !== undefined;
      },
      logged: (text) => this.logOutput.add(text),
      explained: (body) => this.emit("minvisor/violation", body),
      told: (text) => this.important(text),
      changed: (statuses) => this.emit("minvisor/invariants", { invariants: statuses }),
      get isSearching() {
        return breakpoints.isSearching;
      },
    });
  }

  private async openSinks(plan: BootPlan): Promise<Map<ConsolePort, FileSink>> {
    const sinks = new Map<ConsolePort, FileSink>();
    const { serial, cwd } = plan.configuration;
    for (const [i, target] of serial.entries()) {
      const port = CONSOLE_PORTS[i];
      if (port === undefined || target === "stdio" || target === "null") continue;
      const { files } = this.services;
      sinks.set(port, await files.openForWriting(files.resolve(target, cwd)));
    }
    return sinks;
  }

  park(): string | undefined {
    const { loaded } = this;
    if (loaded === undefined || loaded.runner.isOver) return undefined;
    this.unload();
    return this.services.parked?.park(loaded.plan, loaded.debuggee);
  }

  private unload(): void {
    this.loaded?.runner.dispose();
    this.loaded?.opcodes.dispose();
    this.loaded?.invariants.dispose();
    this.breakpoints.detach();
    this.stopListening();
    this.console?.dispose();
    this.loaded = undefined;
    this.forget();
  }

  /** What belonged to the last stop. */
  private forget(): void {
    this.stop = undefined;
    this.callStack = undefined;
    this.variables.clear();
  }

  resume(goal: Goal): void {
    this.forget();
    this.loaded?.runner.resume(goal);
  }

  travel(journey: Journey, title: string): void {
    this.forget();
    this.loaded?.runner.travel(journey, title);
  }

  stopped(stop: Stop): void {
    this.console?.flush();
    this.forget();
    this.loaded?.debuggee.kernel?.look();
    this.loaded?.debuggee.recordingFile?.flush();
    this.stop = stop;
    const { reason, description, text, hitBreakpointIds } = stop;
    this.emit("stopped", {
      reason,
      description,
      threadId: THREAD,
      allThreadsStopped: true,
      ...(text === undefined ? {} : { text }),
      ...(hitBreakpointIds === undefined ? {} : { hitBreakpointIds: [...hitBreakpointIds] }),
    });
    this.renameThread();
    this.loaded?.invariants.tell();
    if (!this.client.supportsMemoryEvent) return;
    for (const read of this.addresses.takeReads()) this.emit("memory", read);
  }

  /** A client keeps the names of threads unless it is told that they changed. */
  private renameThread(): void {
    if (this.loaded === undefined || !this.client.supportsInvalidatedEvent) return;
    const name = threadName(this.loaded.debuggee);
    if (name !== this.shownThread) this.emit("invalidated", { areas: ["threads"] });
    this.shownThread = name;
  }

  stack(): CallStack {
    const { debuggee } = stoppedIn(this);
    this.callStack ??= new CallStack(debuggee, this.stop?.inlineDepth);
    return this.callStack;
  }

  changed(): void {
    this.loaded?.debuggee.recordingFile?.flush();
    this.callStack = undefined;
    if (this.stop !== undefined) {
      const { inlineDepth: _, ...stop } = this.stop;
      this.stop = stop;
    }
    if (!this.client.supportsInvalidatedEvent) return;
    this.afterResponse(() => this.emit("invalidated", { areas: ["stacks", "variables"] }));
  }

  terminate(): void {
    this.loaded?.runner.dispose();
    this.flushOutput();
    this.terminated();
  }

  private flushOutput(): void {
    this.loaded?.debuggee.recordingFile?.flush();
    this.console?.flushAll();
    this.logOutput.flushAll();
  }

  private terminated(): void {
    if (this.hasTerminated) return;
    this.hasTerminated = true;
    this.emit("terminated", undefined);
  }

  /** The machine stopped by itself and cannot go on. */
  private ended(result: RunResult): void {
    this.flushOutput();
    if (result.reason === "notImplemented") {
      this.stopped({
        reason: "exception",
        description: "Paused on something that the machine does not implement",
        text: result.what,
        exception: { id: "notImplemented", details: result.what },
      });
      return;
    }
    this.loaded?.invariants.tell();
    const [text, exitCode] = endOf(result);
    this.say(text);
    this.emit("exited", { exitCode });
    this.terminated();
  }

  private failed(caught: unknown): void {
    this.flushOutput();
    const text = `The machine failed: ${messageOf(caught)}`;
    this.important(text);
    this.stopped({ reason: "pause", description: "Paused on an internal error", text });
  }

  close(): void {
    this.loaded?.debuggee.recordingFile?.finish();
    this.unload();
  }
}

/** How the machine ended, in words, and the exit code as the command line has it. */
function endOf(result: RunResult): readonly [text: string, exitCode: number] {
  switch (result.reason) {
    case "powerOff":
      return ["The guest powered the machine off.", 0];
    case "reset":
      return ["The guest reset the machine.", 0];
    case "debugExit":
      return [`The guest ended the machine with status ${result.status}.`, result.status];
    case "shutdown": {
      const chain = result.faults.length === 0 ? "" : `: ${result.faults.join(", then ")}`;
      return [`The CPU shut down${chain}.`, 4];
    }
    default:
      return ["The machine ended.", 70];
  }
}

/** One clear sentence for the client. */
function sentence(caught: unknown): string {
  const text = oneLine(messageOf(caught)).trim();
  const known =
    caught instanceof UserError ||
    /^(LoadError|FormatError|Error)$/.test((caught as Error)?.name ?? "");
  const full = known ? text : `Internal error: ${text}`;
  return /[.!?]$/.test(full) ? full : `${full}.`;
}
