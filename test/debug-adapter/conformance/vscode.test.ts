// What VS Code 1.100 sends, word by word, and that it gets what it reads.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAdapter } from "../../../debug-adapter/node/run-adapter.ts";
import { inRepository } from "../../harness/dap-adapter.ts";
import { CONFIGURATION, VSCode } from "./vscode-client.ts";

const MAIN_C = inRepository("test/guests/sample/main.c");
const lineOf = (text: string): number =>
  readFileSync(MAIN_C, "utf8")
    .split("\n")
    .findIndex((line) => line.includes(text)) + 1;

const AT_CPUID = { filters: [{ filterId: "exit:CPUID" }] };

const clients: VSCode[] = [];
let client: VSCode;
async function connect(port?: number): Promise<VSCode> {
  const started = await VSCode.start(port);
  clients.push(started);
  return started;
}
beforeEach(async () => {
  client = await connect();
});
afterEach(async () => {
  for (const each of clients.splice(0)) {
    for (const stop of each.stopsSeen) {
      // The call stack view shows the description, and the one thread as stopped.
      expect(stop.description).toMatch(/^Paused /);
      expect(stop).toMatchObject({ threadId: 1, allThreadsStopped: true });
    }
    await each.stop();
  }
});

test("breakpoints of all kinds before the machine runs: each stop says which hit", async () => {
  await client.open();
  const info = await client.send("dataBreakpointInfo", {
    name: "0x7c00",
    bytes: 4,
    asAddress: true,
  });
  expect(info.body.accessTypes).toEqual(["read", "write", "readWrite"]);
  const made = await client.sendAllBreakpoints({
    source: { path: MAIN_C, at: [{ line: lineOf("cpuid: SVM is hidden"), mode: "guest" }] },
    functions: [
      { name: "vmexit:CPUID", hitCondition: "2" },
      { name: "exit_cpuid", condition: "leaf == 0x80000001" },
    ],
    data: [{ dataId: String(info.body.dataId), accessType: "write" }],
    instructions: [{ instructionReference: "gpa:0x7c00", offset: 0 }],
    filters: [{ filterId: "exit:MSR", condition: "write" }, { filterId: "shutdown" }],
  });
  await client.configured();
  const wanted = Object.values(made).flatMap((each) => each ?? []);
  const missing = new Set(wanted.map(({ id }) => id));
  // No triple fault comes.
  missing.delete(made.filters?.[1]?.id);
  for (let i = 0; i < 60 && missing.size > 0; i++) {
    const { hitBreakpointIds = [] } = await client.nextStop();
    expect(hitBreakpointIds.length).toBeGreaterThan(0);
    for (const id of hitBreakpointIds) {
      expect(wanted.map((each) => each.id)).toContain(id);
      missing.delete(id);
    }
    if (missing.size > 0) await client.send("continue", { threadId: 1 });
  }
  expect([...missing]).toEqual([]);
});

test("the stack comes as one frame, 19 more, then the rest", async () => {
  await client.run({ functions: [{ name: "exit_cpuid" }] });
  const whole = (await client.send("stackTrace", { threadId: 1 })).body;
  const top = await client.page(0, 1);
  expect(top.stackFrames.length).toBe(1);
  expect(top.totalFrames).toBeGreaterThan(1);
  const more = await client.page(1, 19);
  const frames = [...top.stackFrames, ...more.stackFrames];
  // VS Code stops asking when a page is short, or when it has totalFrames.
  if (frames.length >= 20)
    frames.push(...(await client.page(20, (more.totalFrames ?? 0) - 20)).stackFrames);
  else expect(more.totalFrames).toBe(frames.length);
  expect(frames).toEqual(whole.stackFrames);
  expect((await client.page(1000, 20)).stackFrames).toEqual([]);
  for (const frame of frames) {
    // Missing, VS Code would offer to restart the frame; a label is no frame.
    expect(typeof frame.canRestart).toBe("boolean");
    if (frame.presentationHint === "label") expect(frame.canRestart).toBe(false);
    if (frame.presentationHint !== "label")
      expect(frame.instructionPointerReference).toMatch(/:0x/);
  }
});

test("arrays come in the pages that are asked for", async () => {
  await client.run({ functions: [{ name: "exit_cpuid" }] });
  const [frame] = (await client.page(0, 1)).stackFrames;
  const evaluate = { expression: "host_save_area", frameId: frame?.id, context: "watch" };
  const area = (await client.send("evaluate", evaluate)).body;
  expect(area).toMatchObject({ indexedVariables: 4096 });
  const { variablesReference } = area;
  const page = async (start: number, count: number): Promise<DP.Variable[]> =>
    (await client.send("variables", { variablesReference, filter: "indexed", start, count })).body
      .variables;
  const names = (variables: DP.Variable[]) => variables.map(({ name }) => name);
  expect(names(await page(0, 100))).toEqual(Array.from({ length: 100 }, (_, i) => `[${i}]`));
  expect(names(await page(4000, 100)).at(-1)).toBe("[4095]");
  const named = { variablesReference, filter: "named" };
  expect((await client.send("variables", named)).body.variables).toEqual([]);
});

test("evaluate in each context, with the place of the cursor", async () => {
  await client.run({ functions: [{ name: "exit_cpuid" }] });
  const [frame] = (await client.page(0, 1)).stackFrames;
  const source = { name: "exit_cpuid.c", path: inRepository("minvisor/exit_cpuid.c") };
  const ask = (expression: string, context: string, place: object = {}) =>
    client.send("evaluate", { expression, frameId: frame?.id, context, ...place });
  const hovered = await ask("vmcb.save", "hover", { line: 16, column: 14, source });
  expect(hovered.body.result).toMatch(/^\{/);
  expect(hovered.body.variablesReference).toBeGreaterThan(0);
  expect((await ask("vmcb.save.rax", "watch")).body.result).toMatch(/^0x/);
  expect((await ask("1 + 1", "variables")).body.result).toBe("0x2");
  expect((await ask("$rax = 0x1234", "repl", { line: 1, column: 1 })).body.result).toMatch(
    /^0x1234/,
  );
  // A hover or a watch must not change the machine.
  for (const context of ["hover", "watch", "variables", "clipboard"]) {
    expect(await client.failure("evaluate", { expression: "$rax = 1", context })).toMatch(/\.$/);
  }
  expect((await ask("$rax", "watch")).body.result).toBe("0x1234");
  const copied = (await ask("vmcb.save", "clipboard")).body.result as string;
  expect(copied.length).toBeGreaterThan((await ask("vmcb.save", "watch")).body.result.length);
  // Without a frame: the session's focus may be gone.
  expect((await client.send("evaluate", { expression: "$rax", context: "repl" })).success).toBe(
    true,
  );
});

test("data breakpoints at an address, in the forms of VS Code's input box", async () => {
  await client.run(AT_CPUID);
  const at = async (name: string, bytes: number) =>
    (await client.send("dataBreakpointInfo", { name, bytes, asAddress: true })).body.dataId;
  // "0x5000", "0x5000 + 8", and "0x5000 - 0x5010", which arrives as a negative count.
  expect(await at("0x5000", 1)).toMatch(/^hva@0x[0-9a-f]+:0x5000,1$/);
  expect(await at("0x5000", 8)).toMatch(/:0x5000,8$/);
  expect(await at("0x5000", -16)).toMatch(/:0x5000,16$/);
  const scopes = (await client.send("scopes", { frameId: 1 })).body.scopes as DP.Scope[];
  const registers = scopes.find(({ name }) => name === "Host registers")?.variablesReference;
  const variable = { name: "rbx", variablesReference: registers };
  const { body } = await client.send("dataBreakpointInfo", variable);
  expect(body).toMatchObject({ dataId: "reg:host:rbx", accessTypes: ["write"] });
  const breakpoints = [{ dataId: body.dataId, accessType: "write" }];
  const [made] = (await client.send("setDataBreakpoints", { breakpoints })).body.breakpoints;
  await client.send("continue", { threadId: 1 });
  expect(await client.nextStop()).toMatchObject({
    reason: "data breakpoint",
    hitBreakpointIds: [made.id],
  });
});

test("the memory document: chunks, holes, and what was written", async () => {
  await client.run(AT_CPUID);
  const CHUNK = 128 * 1024;
  const read = async (memoryReference: string, offset: number, count: number) =>
    (await client.send("readMemory", { count, memoryReference, offset })).body;
  const whole = await read("hpa:0x0", 0, 2 * CHUNK);
  const halves = [await read("hpa:0x0", 0, CHUNK), await read("hpa:0x0", CHUNK, CHUNK)];
  const bytes = (body: { data: string }) => Uint8Array.from(Buffer.from(body.data, "base64"));
  expect(halves.flatMap((half) => [...bytes(half)])).toEqual([...bytes(whole)]);
  expect(bytes(halves[0]).length).toBe(CHUNK);
  expect((await read("hpa:0x0", 0, 0)).unreadableBytes ?? 0).toBe(0);
  // The last 16 bytes of 512 MiB, then a hole: the client pads what is short, and takes the rest as a hole.
  const end = await read("hpa:0x1ffffff0", 0, CHUNK);
  expect(bytes(end).length + end.unreadableBytes).toBe(CHUNK);
  const changed = client.waitForEvent("memory");
  const write = { memoryReference: "hpa:0x5000", offset: 2, allowPartial: true, data: "qrs=" };
  expect((await client.send("writeMemory", write)).body).toMatchObject({ bytesWritten: 2 });
  expect((await changed).body).toEqual({ memoryReference: "hpa:0x5000", offset: 2, count: 2 });
  expect([...bytes(await read("hpa:0x5000", 2, 2))]).toEqual([0xaa, 0xbb]);
});

test("completions at the cursor of a line of several", async () => {
  await client.run({ functions: [{ name: "exit_cpuid" }] });
  const text = "1 +\nvmcb.sa";
  const args = { frameId: 1, text, column: 8, line: 2 };
  const targets = (await client.send("completions", args)).body.targets as DP.CompletionItem[];
  const save = targets.find(({ label }) => label === "save");
  // It replaces the two characters before the cursor.
  expect(save).toMatchObject({ start: 6, length: 2 });
});

test("requests that came too early or are of nowhere are refused in one sentence", async () => {
  await client.run(AT_CPUID);
  const source = { name: "nowhere", path: "/nowhere.c", sourceReference: 3 };
  expect(await client.failure("source", { sourceReference: 3, source })).toMatch(/\.$/);
  expect(await client.failure("source", { sourceReference: 3 })).toMatch(/\.$/);
  expect(await client.failure("later", { threadId: 1 })).toBe('There is no request "later".');
  expect(await client.failure("locations", { locationReference: 12345 })).toMatch(/\.$/);
  const locations = { source: { path: MAIN_C }, line: lineOf("void guest_main(void)\n") + 2 };
  expect((await client.send("breakpointLocations", locations)).success).toBe(true);
  // What a later protocol adds does not disturb.
  const later = { threadId: 1, later: { deep: [1] }, startFrame: 0, levels: 1 };
  expect((await client.send("stackTrace", later)).body.stackFrames.length).toBe(1);
});

test("source breakpoints by lines only, and an edited source", async () => {
  await client.open();
  const line = lineOf("cpuid: SVM is hidden");
  const source = { path: MAIN_C };
  const byLines = await client.send("setBreakpoints", { source, lines: [line] });
  expect(byLines.body.breakpoints).toMatchObject([{ line }]);
  const edited = { source, breakpoints: [{ line }], lines: [line], sourceModified: true };
  expect((await client.send("setBreakpoints", edited)).body.breakpoints.length).toBe(1);
  await client.send("setExceptionBreakpoints", { filters: [], filterOptions: [] });
  await client.configured();
  expect((await client.nextStop()).reason).toBe("breakpoint");
});

test("restart with the configuration, then terminate and what follows it", async () => {
  await client.run(AT_CPUID);
  await client.send("restart", { arguments: CONFIGURATION });
  expect((await client.nextStop()).description).toMatch(/CPUID/);
  const terminated = client.waitForEvent("terminated");
  await client.send("terminate", { restart: false });
  await terminated;
  await client.send("disconnect", { terminateDebuggee: false });
});

test("Run Without Debugging does not stop at the entry", async () => {
  // No breakpoints are sent then.
  await client.open({ ...CONFIGURATION, stopOnEntry: true, noDebug: true });
  const exited = client.waitForEvent("exited");
  await client.configured();
  expect((await exited).body).toEqual({ exitCode: 0 });
  expect(client.stopsSeen).toEqual([]);
});

test("a stop of the shutdown filter names it too", async () => {
  const triple = join(mkdtempSync(join(tmpdir(), "minvisor-triple-")), "triple.bin");
  // lidt [0x7c10], which is zeros; int3; hlt
  writeFileSync(triple, Uint8Array.of(0x0f, 0x01, 0x1e, 0x10, 0x7c, 0xcc, 0xf4));
  await client.open({ ...CONFIGURATION, modules: [triple], symbols: [] });
  const { filters } = await client.sendAllBreakpoints({ filters: [{ filterId: "shutdown" }] });
  await client.configured();
  const stop = await client.nextStop();
  rmSync(dirname(triple), { recursive: true });
  expect(stop).toMatchObject({ reason: "exception", hitBreakpointIds: [filters?.[0]?.id] });
});

test("Stop ends a machine behind a port, Disconnect leaves it to be attached to", async () => {
  const port = await new Promise<number>((resolve, reject) => {
    runAdapter({ port: 0, onListening: resolve }).catch(reject);
  });
  const stopped = await connect(port);
  await stopped.run(AT_CPUID);
  const terminated = stopped.waitForEvent("terminated");
  await stopped.send("terminate", { restart: false });
  await terminated;
  await stopped.send("disconnect", { terminateDebuggee: false });
  const attach = { type: "minvisor", request: "attach", name: "Attach", __sessionId: "1" };
  const early = await connect(port);
  await early.send("initialize", {});
  expect(await early.failure("attach", attach)).toMatch(/^No machine waits/);
  const left = await connect(port);
  await left.run(AT_CPUID);
  await left.send("disconnect", {
    restart: false,
    terminateDebuggee: false,
    suspendDebuggee: false,
  });
  const taken = await connect(port);
  await taken.open(attach);
  await taken.sendAllBreakpoints(AT_CPUID);
  await taken.configured();
  expect((await taken.nextStop()).description).toBe("Paused where it was left");
});
