// VS Code 1.100 as a client: what it sends at each point of a session, in its order, with its arguments.
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { AdapterClient, adapterPath, SAMPLE, type Stopped } from "../../harness/dap-adapter.ts";

/** All 17 properties of `initialize`. */
export const INITIALIZE: Required<DP.InitializeRequestArguments> = {
  clientID: "vscode",
  clientName: "Visual Studio Code",
  adapterID: "minvisor",
  pathFormat: "path",
  linesStartAt1: true,
  columnsStartAt1: true,
  supportsVariableType: true,
  supportsVariablePaging: true,
  supportsRunInTerminalRequest: true,
  locale: "en",
  supportsProgressReporting: true,
  supportsInvalidatedEvent: true,
  supportsMemoryReferences: true,
  supportsArgsCanBeInterpretedByShell: true,
  supportsMemoryEvent: true,
  supportsStartDebuggingRequest: true,
  supportsANSIStyling: true,
};

/** A launch configuration as the client has resolved it. */
export const CONFIGURATION = {
  type: "minvisor",
  request: "launch",
  name: "MinVisor: sample",
  __sessionId: "7a1f0c1e-6b51-4c1f-a7d1-3f0e9c4f4a10",
  __configurationTarget: 6,
  ...SAMPLE,
};

/** The breakpoints of a window; what is left out is sent as an empty list all the same. */
export interface WindowBreakpoints {
  readonly source?: { readonly path: string; readonly at: readonly DP.SourceBreakpoint[] };
  readonly functions?: readonly DP.FunctionBreakpoint[];
  readonly data?: readonly DP.DataBreakpoint[];
  readonly instructions?: readonly DP.InstructionBreakpoint[];
  readonly filters?: readonly DP.ExceptionFilterOptions[];
}

export class VSCode extends AdapterClient {
  readonly stopsSeen: Stopped[] = [];

  static async start(port?: number): Promise<VSCode> {
    const client = new VSCode(await adapterPath());
    await client.start(port);
    client.on("stopped", ({ body }: DP.StoppedEvent) => client.stopsSeen.push(body));
    return client;
  }

  async open(
    configuration: object = CONFIGURATION,
    more: Partial<DP.InitializeRequestArguments> = {},
  ): Promise<void> {
    await this.send("initialize", { ...INITIALIZE, ...more });
    const initialized = this.waitForEvent("initialized");
    const { request } = configuration as { request?: string };
    await this.send(request ?? "launch", configuration);
    await initialized;
  }

  /** All kinds at once; the ids that they got. */
  async sendAllBreakpoints(window: WindowBreakpoints) {
    const at = window.source?.at ?? [];
    const path = window.source?.path;
    const all = await Promise.all([
      path === undefined
        ? { body: { breakpoints: [] } }
        : this.send("setBreakpoints", {
            source: { name: path.split("/").at(-1), path },
            lines: at.map(({ line }) => line),
            breakpoints: at,
            sourceModified: false,
          }),
      this.send("setFunctionBreakpoints", { breakpoints: window.functions ?? [] }),
      this.send("setDataBreakpoints", { breakpoints: window.data ?? [] }),
      this.send("setInstructionBreakpoints", { breakpoints: window.instructions ?? [] }),
      this.send("setExceptionBreakpoints", { filters: [], filterOptions: window.filters ?? [] }),
    ]);
    const [source, functions, data, instructions, filters] = all.map(
      (answer) => answer.body.breakpoints as DP.Breakpoint[],
    );
    return { source, functions, data, instructions, filters };
  }

  /** The end of the configuration: neither request has arguments. */
  async configured(): Promise<void> {
    await this.send("configurationDone");
    await this.send("threads");
  }

  async run(window: WindowBreakpoints, configuration: object = CONFIGURATION): Promise<Stopped> {
    await this.open(configuration);
    await this.sendAllBreakpoints(window);
    await this.configured();
    return this.nextStop();
  }

  async page(startFrame: number, levels: number): Promise<DP.StackTraceResponse["body"]> {
    return (await this.send("stackTrace", { threadId: 1, startFrame, levels })).body;
  }
}
