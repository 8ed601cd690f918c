// Requests that no other transcript has: what is answered, and what is refused.
import { afterEach, expect, test } from "vitest";
import { runAdapter } from "../../../debug-adapter/node/run-adapter.ts";
import {
  AdapterClient,
  adapterPath,
  inRepository,
  SAMPLE,
  startClient,
} from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

const CPUID_C = { path: inRepository("minvisor/exit_cpuid.c") };

const clients: AdapterClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
});

async function fresh(): Promise<{ client: AdapterClient; transcript: Transcript }> {
  const client = await startClient();
  clients.push(client);
  return { client, transcript: new Transcript(client) };
}

test("a session from its begin to its end", async () => {
  const { client, transcript } = await fresh();
  const ask = (command: string, args?: object) => transcript.ask(command, args);
  await ask("initialize", { adapterID: "minvisor", linesStartAt1: "yes" });
  await client.initializeRequest();
  await ask("configurationDone");
  await ask("launch", { ...SAMPLE, kernel: "nowhere.elf" });
  const initialized = client.waitForEvent("initialized");
  await ask("launch", { ...SAMPLE, stopOnEntry: true });
  await initialized;
  await ask("launch", SAMPLE);
  await ask("attach", { machine: "1" });
  await ask("configurationDone");
  transcript.note("stopped", await client.nextStop());
  await ask("cancel", { requestId: 1 });
  await ask("cancel", { progressId: "none" });
  await ask("restart", { arguments: { ...SAMPLE, kernel: "nowhere.elf" } });
  await ask("restart", { arguments: { ...SAMPLE, stopOnEntry: true } });
  transcript.note("stopped", await client.nextStop());
  await ask("setExceptionBreakpoints", { filters: ["exit:CPUID"] });
  await ask("continue", { threadId: 1 });
  transcript.note("stopped", await client.nextStop());
  await ask("stepOut", { threadId: 1 });
  transcript.note("stopped", await client.nextStop());
  await ask("terminate", { restart: "no" });
  await ask("terminate");
  await ask("continue", { threadId: 1 });
  await ask("disconnect", { terminateDebuggee: "yes" });
  await ask("disconnect", { terminateDebuggee: true });
  await expect(transcript.text).toMatchFileSnapshot("./lifecycle.golden.txt");
});

test("a machine that is left running, and attached to", async () => {
  const port = await new Promise<number>((resolve, reject) => {
    runAdapter({ port: 0, onListening: resolve }).catch(reject);
  });
  const connect = async () => {
    const client = new AdapterClient(await adapterPath());
    clients.push(client);
    await client.start(port);
    return client;
  };
  const first = await connect();
  await first.begin({ ...SAMPLE, serial: ["null"], pacing: false });
  await first.setFunctionBreakpointsRequest({ breakpoints: [{ name: "vmexit:CPUID" }] });
  await first.configurationDoneRequest();
  await first.nextStop();
  await new Transcript(first).ask("disconnect", { suspendDebuggee: true });
  const second = await connect();
  const transcript = new Transcript(second);
  await second.initializeRequest();
  const initialized = second.waitForEvent("initialized");
  await transcript.ask("attach", { machine: "nine" });
  await transcript.ask("attach", { machine: "1" });
  await initialized;
  await transcript.ask("configurationDone");
  transcript.note("stopped", await second.nextStop());
  await transcript.ask("threads");
  await expect(transcript.text).toMatchFileSnapshot("./attach.golden.txt");
});

test("breakpoints of every kind", async () => {
  const { client, transcript } = await fresh();
  const ask = (command: string, args?: object) => transcript.ask(command, args);
  await ask("breakpointLocations", { source: CPUID_C, line: 1 });
  await client.begin();
  await ask("breakpointLocations", { source: CPUID_C, line: 1, endLine: 40 });
  await ask("setBreakpoints", { breakpoints: [{ line: 1 }] });
  await ask("setBreakpoints", { source: CPUID_C, breakpoints: [{ line: "one" }] });
  await ask("setBreakpoints", {
    source: CPUID_C,
    breakpoints: [
      { line: 20, column: 3, condition: "1", hitCondition: "> 1", mode: "host" },
      { line: 21, logMessage: "leaf {leaf}" },
      { line: 9000 },
    ],
    sourceModified: false,
  });
  await ask("setBreakpoints", { source: { path: "/nowhere/else.c" }, lines: [3] });
  await ask("setFunctionBreakpoints", {});
  await ask("setFunctionBreakpoints", {
    breakpoints: [{ name: "exit_cpuid", condition: "1" }, { name: "vmexit:NPF" }, { name: "none" }],
  });
  await ask("setInstructionBreakpoints", { breakpoints: [{ offset: 1 }] });
  await ask("setInstructionBreakpoints", {
    breakpoints: [
      { instructionReference: "hpa:0x7c00" },
      { instructionReference: "gva:0x7c00", mode: "nowhere" },
    ],
  });
  await ask("setExceptionBreakpoints", {});
  await ask("setExceptionBreakpoints", {
    filters: [],
    filterOptions: [{ filterId: "exit:CPUID" }, { filterId: "exit", condition: "1 +" }],
  });
  await ask("dataBreakpointInfo", {});
  await ask("setDataBreakpoints", {
    breakpoints: [{ dataId: "hpa:0x1000,8", accessType: "execute" }],
  });
  await ask("minvisor/setEventBreakpoints", { breakpoints: [{ condition: "1" }] });
  await client.configurationDoneRequest();
  transcript.note("stopped", await client.nextStop());
  await ask("dataBreakpointInfo", { name: "hpa:0x1000" });
  await expect(transcript.text).toMatchFileSnapshot("./breakpoints.golden.txt");
});

test("the sources of another hypervisor, and what expressions are worth there", async () => {
  const { client, transcript } = await fresh();
  const kernel = "test/guests/build/pae-hypervisor.elf";
  await client.begin({ ...SAMPLE, kernel, modules: [], symbols: [], invariants: true });
  await transcript.ask("loadedSources");
  await transcript.ask("minvisor/invariantExpression", { expression: "cpu.rip < 4G" });
  await transcript.ask("minvisor/invariantExpression", { expression: "cpu.riip" });
  await expect(transcript.text).toMatchFileSnapshot("./loaded-sources.golden.txt");
});

test("sources, programs, and what is asked about the whole machine", async () => {
  const { client, transcript } = await fresh();
  const ask = (command: string, args?: object) => transcript.ask(command, args);
  for (const command of ["loadedSources", "modules", "minvisor/exits", "minvisor/status"])
    await ask(command);
  await ask("minvisor/invariants");
  await ask("minvisor/consoleInput", { port: "com1", text: "x" });
  await client.runTo({ filters: ["exit:CPUID"] });
  await ask("source", { source: CPUID_C, sourceReference: 0 });
  await ask("source", { sourceReference: 5 });
  await ask("source", { source: { path: "/etc/hostname" } });
  await ask("modules");
  await ask("modules", { startModule: 1, moduleCount: 1 });
  await ask("gotoTargets", { source: CPUID_C });
  await ask("completions", { text: "$r" });
  await ask("minvisor/exits");
  await ask("minvisor/exitCodes");
  const own = 'invariant low on vmrun "rip is low" : cpu.rip < 4G;';
  await ask("minvisor/setInvariants", { files: [{ path: "/own.inv", text: own }] });
  await ask("minvisor/setInvariants", { files: [{ path: "/own.inv", text: "invariant low on" }] });
  await ask("minvisor/setInvariants", { files: "own.inv" });
  await ask("minvisor/consoleInput", { port: "lpt1", text: "x" });
  await ask("minvisor/consoleInput", { port: "com1", text: "x" });
  await ask("minvisor/status");
  await ask("pause", { threadId: 1 });
  await expect(transcript.text).toMatchFileSnapshot("./sources.golden.txt");
});

test("an invariant that a seeded bug violates", async () => {
  const { client, transcript } = await fresh();
  const ask = (command: string, args?: object) => transcript.ask(command, args);
  const name = "npt_protects_hypervisor";
  const kernel = inRepository("test/seeded-bugs/build/wrong-region-size.elf");
  const explained = client.waitForEvent("minvisor/violation");
  const stop = await client.runTo(
    { filters: ["invariant"] },
    { ...SAMPLE, kernel, invariants: [name] },
  );
  transcript.note("stopped", stop);
  transcript.note("explained", (await explained).body);
  await ask("minvisor/invariants");
  await ask("minvisor/setInvariantPolicy", { policies: { [name]: "log" } });
  await ask("minvisor/setInvariantPolicy", { policies: { "*": "log", nonesuch: "off" } });
  await ask("minvisor/setInvariantPolicy", { policies: { "*": "loud" } });
  const travel = async (args: object) => {
    await ask("minvisor/seek", args);
    transcript.note("stopped", await client.nextStop());
  };
  await travel({ culprit: name });
  await travel({ violation: "first" });
  await ask("minvisor/seek", { culprit: "nonesuch" });
  await ask("minvisor/checkRun");
  await ask("minvisor/checkRun", { stopAtFirst: "yes" });
  await expect(transcript.text).toMatchFileSnapshot("./invariants.golden.txt");
});
