// Every capability of the protocol: what is advertised, and where a test uses it.
import { readFileSync } from "node:fs";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, expect, test } from "vitest";
import { runAdapter } from "../../../debug-adapter/node/run-adapter.ts";
import { inRepository } from "../../harness/dap-adapter.ts";
import { INITIALIZE, VSCode } from "./vscode-client.ts";

/** A test's file under test/debug-adapter, and words of it that use the capability. */
type Use = readonly [file: string, ...words: string[]];

interface Row {
  /** Missing: not advertised, for this reason. */
  readonly use?: Use;
  readonly without?: string;
}

const VSCODE = "conformance/vscode.test.ts";
const TRANSCRIPTS = "transcripts/transcripts.test.ts";

const CAPABILITIES: { readonly [N in keyof Required<DP.Capabilities>]: Row } = {
  supportsConfigurationDoneRequest: {
    use: ["conformance/vscode-client.ts", '"configurationDone"'],
  },
  supportsFunctionBreakpoints: { use: [VSCODE, "functions:"] },
  supportsConditionalBreakpoints: { use: [VSCODE, 'condition: "leaf == 0x80000001"'] },
  supportsHitConditionalBreakpoints: { use: [VSCODE, 'hitCondition: "2"'] },
  supportsEvaluateForHovers: { use: [VSCODE, '"hover"'] },
  exceptionBreakpointFilters: { use: [VSCODE, 'filterId: "exit:MSR"'] },
  supportsStepBack: { use: ["time-travel/transcript.test.ts", '"stepBack"', '"reverseContinue"'] },
  supportsSetVariable: { use: ["session.test.ts", "setVariableRequest"] },
  supportsRestartFrame: { use: ["time-travel/transcript.test.ts", '"restartFrame"'] },
  supportsGotoTargetsRequest: {
    use: ["stepping/stepping-requests.test.ts", '"gotoTargets"', '"goto"'],
  },
  supportsStepInTargetsRequest: { use: ["stepping/stepping-requests.test.ts", '"stepInTargets"'] },
  supportsCompletionsRequest: { use: [VSCODE, '"completions"'] },
  completionTriggerCharacters: { use: ["evaluate/transcripts.test.ts", '"completions"'] },
  supportsModulesRequest: { use: [TRANSCRIPTS, '"modules"'] },
  additionalModuleColumns: { use: ["lifecycle.test.ts", "world:", "slide:"] },
  supportedChecksumAlgorithms: { use: ["lifecycle.test.ts", '"SHA256"'] },
  supportsRestartRequest: { use: [VSCODE, '"restart"'] },
  supportsExceptionOptions: { without: "no client reads it" },
  supportsValueFormattingOptions: { use: ["scopes/scopes.test.ts", "format:"] },
  supportsExceptionInfoRequest: { use: ["session.test.ts", '"exceptionInfo"'] },
  supportTerminateDebuggee: { use: [VSCODE, "terminateDebuggee:"] },
  supportSuspendDebuggee: { use: ["lifecycle.test.ts", "suspendDebuggee: true"] },
  supportsDelayedStackTraceLoading: { use: [VSCODE, "page(0, 1)", "page(1, 19)"] },
  supportsLoadedSourcesRequest: { use: [TRANSCRIPTS, '"loadedSources"'] },
  supportsLogPoints: { use: ["conformance/console-flood.test.ts", "logMessage:"] },
  supportsTerminateThreadsRequest: {
    use: ["stepping/stepping-requests.test.ts", '"terminateThreads"'],
  },
  supportsSetExpression: { use: ["evaluate/transcripts.test.ts", '"setExpression"'] },
  supportsTerminateRequest: { use: [VSCODE, '"terminate"'] },
  supportsDataBreakpoints: { use: [VSCODE, '"setDataBreakpoints"'] },
  supportsDataBreakpointBytes: { use: [VSCODE, "bytes", "asAddress: true"] },
  supportsReadMemoryRequest: { use: [VSCODE, '"readMemory"'] },
  supportsWriteMemoryRequest: { use: [VSCODE, '"writeMemory"'] },
  supportsDisassembleRequest: { use: ["addresses/transcripts.test.ts", '"disassemble"'] },
  supportsCancelRequest: { use: ["lifecycle.test.ts", '"cancel"'] },
  supportsBreakpointLocationsRequest: { use: [VSCODE, '"breakpointLocations"'] },
  supportsClipboardContext: { use: [VSCODE, '"clipboard"'] },
  supportsSteppingGranularity: { use: ["../harness/dap-adapter.ts", "granularity:"] },
  supportsInstructionBreakpoints: { use: [VSCODE, "instructions:"] },
  supportsExceptionFilterOptions: { use: ["conformance/vscode-client.ts", "filterOptions:"] },
  supportsSingleThreadExecutionRequests: {
    use: ["stepping/stepping-requests.test.ts", "singleThread: true"],
  },
  breakpointModes: { use: [VSCODE, 'mode: "guest"'] },
  supportsANSIStyling: { use: ["conformance/console-flood.test.ts", "\\x1b[31m"] },
};
const NAMES = Object.keys(CAPABILITIES) as (keyof typeof CAPABILITIES)[];
/** Only where the machine can outlive its client. */
const OF_SERVERS: ReadonlySet<string> = new Set(["supportSuspendDebuggee"]);

const clients: VSCode[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
});

async function advertised(port?: number): Promise<DP.Capabilities> {
  const client = await VSCode.start(port);
  clients.push(client);
  return (await client.send("initialize", INITIALIZE)).body ?? {};
}

const isThere = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value === true;

test("41 of the 42 capabilities, one of them of servers only, and no other name", async () => {
  const port = await new Promise<number>((resolve, reject) => {
    runAdapter({ port: 0, onListening: resolve }).catch(reject);
  });
  const [own, server] = [await advertised(), await advertised(port)];
  const wanted = NAMES.filter((name) => CAPABILITIES[name].use !== undefined);
  expect(NAMES.length).toBe(42);
  expect(wanted.length).toBe(41);
  const there = (body: object) =>
    Object.entries(body).flatMap(([name, value]) => (isThere(value) ? [name] : []));
  expect(there(server).sort()).toEqual([...wanted].sort());
  expect(there(own).sort()).toEqual(wanted.filter((name) => !OF_SERVERS.has(name)).sort());
  // VS Code shows a mode only where it applies to the kind of the breakpoint.
  for (const { appliesTo } of own.breakpointModes ?? []) expect(appliesTo).toContain("source");
});

test.each(NAMES.filter((name) => CAPABILITIES[name].use !== undefined))("%s is used", (name) => {
  const [file = "", ...words] = CAPABILITIES[name].use ?? [];
  const text = readFileSync(inRepository(`test/debug-adapter/${file}`), "utf8");
  for (const word of words) expect(text, file).toContain(word);
});
