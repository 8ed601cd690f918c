// A session that is put back to a stop on an exit after whatever a request did to it.
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import type { RequestName } from "../../../debug-adapter/requests/types.ts";
import { inRepository, SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

/** Arguments that each request needs at least, as they are valid at the sample's CPUID exit. */
export const LEAST_ARGUMENTS: { readonly [R in RequestName]: object } = {
  initialize: {},
  launch: SAMPLE,
  attach: {},
  configurationDone: {},
  restart: {},
  disconnect: {},
  terminate: {},
  cancel: {},
  threads: {},
  continue: { threadId: 1 },
  pause: { threadId: 1 },
  next: { threadId: 1 },
  stepIn: { threadId: 1 },
  stepOut: { threadId: 1 },
  stepBack: { threadId: 1 },
  reverseContinue: { threadId: 1 },
  restartFrame: { frameId: 1 },
  stepInTargets: { frameId: 1 },
  gotoTargets: { source: { path: inRepository("minvisor/exit.c") }, line: 60 },
  goto: { threadId: 1, targetId: 1 },
  terminateThreads: { threadIds: [1] },
  setBreakpoints: { source: { path: inRepository("minvisor/exit.c") } },
  setFunctionBreakpoints: { breakpoints: [{ name: "run_guest" }] },
  setInstructionBreakpoints: { breakpoints: [{ instructionReference: "gva:0x7c00" }] },
  setExceptionBreakpoints: { filters: ["exit:CPUID"] },
  dataBreakpointInfo: { name: "rax" },
  setDataBreakpoints: { breakpoints: [{ dataId: "hpa:0x1000,8" }] },
  breakpointLocations: { source: { path: inRepository("minvisor/exit.c") }, line: 60 },
  exceptionInfo: { threadId: 1 },
  stackTrace: { threadId: 1 },
  scopes: { frameId: 1 },
  variables: { variablesReference: 1 },
  locations: { locationReference: 1 },
  setVariable: { variablesReference: 1, name: "rax", value: "1" },
  source: { source: { path: inRepository("minvisor/exit.c") } },
  loadedSources: {},
  modules: {},
  evaluate: { expression: "$rax" },
  setExpression: { expression: "$rbx", value: "1" },
  completions: { text: "$r", column: 3 },
  readMemory: { memoryReference: "gva:0x7c00", count: 16 },
  writeMemory: { memoryReference: "gpa:0x5000", data: "AQID" },
  disassemble: { memoryReference: "gva:0x7c00", instructionCount: 4 },
  "minvisor/translate": { memoryReference: "gva:0x7c00" },
  "minvisor/reverseTranslate": { memoryReference: "hpa:0x7c00" },
  "minvisor/consoleInput": { port: "com1", text: "x" },
  "minvisor/setEventBreakpoints": { breakpoints: [{ event: "vmexit:CPUID" }] },
  "minvisor/exitCodes": {},
  "minvisor/setInvariants": { files: [] },
  "minvisor/setInvariantPolicy": { policies: { "*": "log" } },
  "minvisor/invariants": {},
  "minvisor/invariantExpression": { expression: "cpu.rip" },
  "minvisor/checkRun": {},
  "minvisor/exits": {},
  "minvisor/exitLedger": {},
  "minvisor/exitDensity": { buckets: 1 },
  "minvisor/setNumberFormat": { format: "hexadecimal" },
  "minvisor/setStepPolicy": { policy: "sameWorld" },
  "minvisor/seek": { to: "start" },
  "minvisor/lastWriter": { name: "$vmcb.RIP" },
  "minvisor/history": { name: "$vmcb.RIP" },
  "minvisor/why": {},
  "minvisor/reverse": { threadId: 1, kind: "over" },
  "minvisor/saveRecording": { path: "/dev/null" },
  "minvisor/timeline": {},
  "minvisor/futures": {},
  "minvisor/compareFutures": { a: 1, b: 2 },
  "minvisor/allowFork": {},
  "minvisor/status": {},
};

/** What was answered to a request; `refusal` is the message of a failure. */
export interface Answer {
  readonly body: object | undefined;
  readonly refusal: string | undefined;
}

const ANSWER_MS = 20_000;
const ATTRIBUTES = { ...SAMPLE, serial: ["null"], pacing: false };

export class LiveSession {
  private inner = new InProcessSession();

  /** Never throws but where no answer comes. */
  async ask(command: string, args: unknown): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to ${command}`)), ANSWER_MS);
    });
    const answer = this.inner.ask<object | undefined>(command, args as object).then(
      (body) => ({ body, refusal: undefined }),
      (caught: Error) => ({ body: undefined, refusal: caught.message }),
    );
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  /** Standing at an exit to CPUID, with variables that can be asked for. */
  async begin(): Promise<void> {
    await this.inner.begin(ATTRIBUTES);
    await this.ask("setExceptionBreakpoints", { filters: ["exit:CPUID"] });
    const stop = this.inner.next<DP.StoppedEvent["body"]>("stopped");
    await this.ask("configurationDone", {});
    await stop;
    await this.ask("scopes", { frameId: 1 });
  }

  /** Back to a machine that stands still and can run, if the last request took it away. */
  async repair(): Promise<void> {
    const { loaded } = this.inner.session;
    if (loaded === undefined || loaded.runner.isOver) {
      await this.ask("disconnect", {});
      for (const kind of ["Function", "Instruction", "Data"])
        await this.ask(`set${kind}Breakpoints`, { breakpoints: [] });
      await this.ask("minvisor/setEventBreakpoints", { breakpoints: [] });
      await this.begin();
    } else if (loaded.runner.isRunning) {
      await this.ask("pause", { threadId: 1 });
    }
  }

  /** One instruction, and the registers after it. */
  async step(): Promise<string> {
    const stop = this.inner.next<DP.StoppedEvent["body"]>("stopped");
    await this.inner.ask("next", { threadId: 1, granularity: "instruction" });
    await stop;
    return (await this.inner.ask<{ result: string }>("evaluate", { expression: "$rip" })).result;
  }
}
