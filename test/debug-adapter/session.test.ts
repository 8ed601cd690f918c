// A foreign DAP client on the adapter's process: from launch to power-off.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAdapter } from "../../debug-adapter/node/run-adapter.ts";
import { AdapterClient, adapterPath, SAMPLE, startClient } from "../harness/dap-adapter.ts";
import { Transcript } from "../harness/dap-transcript.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

test("an exit stop: stack, scopes and variables", async () => {
  const stop = await client.runTo({ filters: ["exit:CPUID"] });
  const transcript = new Transcript(client);
  transcript.note("stopped", stop);
  await transcript.ask("threads");
  await transcript.ask("stackTrace", { threadId: 1 });
  await transcript.ask("stackTrace", { threadId: 1, startFrame: 1, levels: 2 });
  await transcript.ask("exceptionInfo", { threadId: 1 });
  const frames = await client.frames();
  for (const { id, name } of frames.filter((_, i) => i === 1 || i >= frames.length - 2)) {
    transcript.note("frame", name);
    const { scopes } = await transcript.ask<DebugProtocol.ScopesResponse["body"]>("scopes", {
      frameId: id,
    });
    for (const { name: scope, variablesReference, expensive } of scopes) {
      if (/VMCB|registers/.test(scope) && id !== frames.length) continue;
      if (expensive) continue;
      await transcript.ask("variables", { variablesReference });
    }
  }
  await expect(transcript.text).toMatchFileSnapshot("./exit-stop.golden.txt");
});

test("initialize and launch tell what the adapter can do", async () => {
  const transcript = new Transcript(client);
  await transcript.ask("initialize", { adapterID: "minvisor" });
  await transcript.ask("attach");
  await transcript.ask("nonsense");
  await transcript.ask("stackTrace", { threadId: 1 });
  await expect(transcript.text).toMatchFileSnapshot("./initialize.golden.txt");
});

test("a condition picks one exit among all, and the next", async () => {
  const condition = 'reason == "IOIO" && port == 0x604 && !in';
  const stop = await client.runTo({
    filters: [],
    filterOptions: [{ filterId: "exit", condition }],
  });
  expect(stop.description).toMatch(/^Paused on #VMEXIT IOIO \(exit \d+\)$/);
  const exit = await client.scope(1, "Exit");
  expect(exit.get("port")?.value).toBe("0x604");
  expect(exit.get("in words")?.value).toMatch(/^out 0x604, 2 bytes/);
  expect(client.console).toContain("GUEST-DONE");
});

test("the guest's console, power-off, exit code and the end", async () => {
  const texts: string[] = [];
  client.on("minvisor/console", ({ body }: DebugProtocol.Event) => {
    if (body.port === "com1") texts.push(body.text);
  });
  await client.begin({ ...SAMPLE, serial: ["stdio", "null"] });
  const exited = client.waitForEvent("exited");
  const terminated = client.waitForEvent("terminated");
  await client.configurationDoneRequest();
  expect((await exited).body).toEqual({ exitCode: 0 });
  await terminated;
  expect(await client.failure("continue", { threadId: 1 })).toBe(
    "The machine has ended: restart it.",
  );
  expect(client.console).toMatch(/sample: long mode[\s\S]*GUEST-DONE/);
  expect(texts.join("")).toContain("GUEST-DONE");
});

test("stop on entry, restart, and a session that goes on after it", async () => {
  await client.begin({ ...SAMPLE, stopOnEntry: true });
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "run_guest" }] });
  await client.configurationDoneRequest();
  expect((await client.nextStop()).reason).toBe("entry");
  const entry = (await client.frames())[0]?.name;
  expect((await client.go("continue")).description).toBe("Paused on run_guest");
  await client.customRequest("restart", {});
  expect((await client.nextStop()).reason).toBe("entry");
  expect((await client.frames())[0]?.name).toBe(entry);
  expect((await client.go("continue")).description).toBe("Paused on run_guest");
});

test("restart with other images: breakpoints move to where the code is", async () => {
  const attributes = { ...SAMPLE, symbols: [] };
  await client.begin(attributes);
  const made = await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "guest_main" }],
  });
  expect(made.body.breakpoints[0]).toMatchObject({ verified: false });
  await client.setExceptionBreakpointsRequest({ filters: ["exit:CPUID"] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const changed = client.waitForEvent("breakpoint");
  await client.setExceptionBreakpointsRequest({ filters: [] });
  await client.customRequest("restart", { arguments: SAMPLE });
  expect((await changed).body).toMatchObject({
    reason: "changed",
    breakpoint: { id: 1, verified: false, reason: "pending", source: { name: "main.c" } },
  });
  expect((await client.nextStop()).description).toBe("Paused on guest_main");
});

test("a session on a port of the loopback", async () => {
  const port = await new Promise<number>((resolve, reject) => {
    runAdapter({ port: 0, onListening: resolve }).catch(reject);
  });
  const remote = new AdapterClient(await adapterPath());
  await remote.start(port);
  expect((await remote.runTo({ filters: ["exit:CPUID"] })).reason).toBe("exception");
  await remote.disconnectRequest();
  await expect(runAdapter({ port })).rejects.toThrow(/^Port \d+ cannot be listened on: /);
});

test("a breakpoint at the stop hits once, a vmexit breakpoint names its exit", async () => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "vmexit:CPUID", hitCondition: "2" }, { name: "exit_cpuid" }],
  });
  await client.configurationDoneRequest();
  const first = await client.nextStop();
  expect(first.description).toBe("Paused on exit_cpuid");
  const second = await client.go("continue");
  expect(second).toMatchObject({ reason: "breakpoint", hitBreakpointIds: [1] });
  expect(second.description).toMatch(/^Paused on #VMEXIT CPUID \(exit \d+\)$/);
  expect((await client.go("continue")).hitBreakpointIds).toEqual([2]);
});

test("terminate ends the machine and the session", async () => {
  await client.runTo({ filters: ["exit"] });
  const terminated = client.waitForEvent("terminated");
  await client.terminateRequest({});
  await terminated;
  await client.disconnectRequest();
});

test("pause answers at any moment", async () => {
  const loop = { ...SAMPLE, pacing: false };
  await client.begin(loop);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "nonesuch" }] });
  await client.configurationDoneRequest();
  await client.pauseRequest({ threadId: 1 });
  expect((await client.nextStop()).reason).toBe("pause");
  expect((await client.frames()).length).toBeGreaterThan(0);
});

test("registers and VMCB fields are set, and read back by the machine", async () => {
  await client.runTo({ filters: ["exit:CPUID"] });
  const [frame] = await client.frames();
  const { scopes } = (await client.scopesRequest({ frameId: frame?.id ?? 0 })).body;
  const reference = (name: string) =>
    scopes.find((scope) => scope.name === name)?.variablesReference ?? 0;
  const set = (scope: string, name: string, value: string) =>
    client.setVariableRequest({ variablesReference: reference(scope), name, value });
  expect((await set("Host registers", "rbx", "0x1234")).body.value).toBe("0x1234");
  expect(await client.value("$bl")).toBe("0x34");
  expect((await set("Host registers", "rflags", "0x247")).body.value).toBe("0x247 (CF PF ZF IF)");
  expect(await client.value("rflags & 1")).toBe("0x1");
  expect((await set("VMCB save", "RAX", "7")).body.value).toBe("0x7");
  expect(await client.value("vmcb.save.rax")).toBe("0x7");
  const bad = { variablesReference: reference("Host registers"), name: "rbx", value: "many" };
  expect(await client.failure("setVariable", bad)).toMatch(/"many" is not a number/);
});
