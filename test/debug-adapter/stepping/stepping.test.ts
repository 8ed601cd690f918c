// Breakpoints and steps in MinVisor's C and assembly and in the guest, across VMRUN and #VMEXIT.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, inRepository, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

/** "host · handle_exit exit.c:37" of the innermost frame. */
async function here(): Promise<string> {
  const [frame] = await client.frames();
  return `${frame?.name} ${frame?.source?.name}:${frame?.line}`;
}

/** From 1, of the first line that holds the text. */
function lineOf(path: string, text: string): number {
  const lines = readFileSync(inRepository(path), "utf8").split("\n");
  return lines.findIndex((line) => line.includes(text)) + 1;
}

const begin = async (...names: string[]) => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: names.map((name) => ({ name })) });
  await client.configurationDoneRequest();
  return client.nextStop();
};

test("stepping over VMRUN in the host runs the guest to its next exit", async () => {
  const stop = await begin("vmrun_instruction");
  expect(stop.description).toBe("Paused on vmrun_instruction");
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  expect(await here()).toMatch(/^host · vmrun(_instruction)? vmrun\.S:/);
  const [before] = await client.frames();
  expect((await client.go("next", true)).reason).toBe("step");
  const [after] = await client.frames();
  expect(after?.line).toBe((before?.line ?? 0) + 1);
  expect(await client.value("number")).toBe("0x1");
  const first = await client.value("vmcb.exitcode");
  expect(first).not.toBe("0x0");
});

test("lines: over calls, into functions behind their prologue, out to the caller", async () => {
  await begin("handle_exit");
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  const call = lineOf("minvisor/exit.c", "count_exit(exit_table[i].name)");
  await client.setBreakpointsRequest({
    source: { path: inRepository("minvisor/exit.c") },
    breakpoints: [{ line: call }],
  });
  await client.go("continue");
  expect(await here()).toBe(`host · handle_exit exit.c:${call}`);
  expect((await client.go("next")).reason).toBe("step");
  expect(await here()).toBe(`host · handle_exit exit.c:${call + 1}`);
  await client.go("stepIn");
  expect(await here()).toMatch(/^host · exit_\w+ exit_\w+\.c:/);
  await client.go("stepOut");
  expect(await here()).toMatch(/^host · handle_exit exit\.c:/);
  await client.go("stepOut");
  expect(await here()).toMatch(/^host · run_guest exit\.c:/);
});

test("in the guest exits are invisible: instructions that exit are stepped like others", async () => {
  await begin("guest_main");
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  expect(await here()).toMatch(/^guest · guest_main main\.c:/);
  const lines: string[] = [];
  for (let i = 0; i < 12; i++) {
    await client.go("next");
    lines.push(await here());
  }
  expect(lines.every((line) => line.startsWith("guest · "))).toBe(true);
  const path = "test/guests/sample/main.c";
  for (const text of ["touch_ports();\n", "vmmcall: MinVisor", "sleep_once();\n", "GUEST-DONE"]) {
    const line = readFileSync(inRepository(path), "utf8").split(text)[0]?.split("\n").length ?? 0;
    const wanted = text.endsWith("\n") ? lineAfterMain(path, text.trim()) : line;
    expect(lines, text).toContain(`guest · guest_main main.c:${wanted}`);
  }
  const labels = (await client.frames()).filter((frame) => frame.presentationHint === "label");
  expect(labels.map((frame) => frame.name)).toEqual([
    expect.stringMatching(/^VMRUN after #VMEXIT \w+/),
  ]);
});

function lineAfterMain(path: string, text: string): number {
  const lines = readFileSync(inRepository(path), "utf8").split("\n");
  const main = lines.findIndex((line) => line.startsWith("void guest_main"));
  return lines.findIndex((line, i) => i > main && line.includes(text)) + 1;
}

test("inlined calls: next stays outside, stepIn enters without running", async () => {
  await begin("guest_main");
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  const cpuid = lineOf("test/guests/sample/main.c", "cpuid: SVM is hidden");
  for (let i = 0; i < 3; i++) await client.go("next");
  expect(await here()).toBe(`guest · guest_main main.c:${cpuid}`);
  const icount = async () => (await client.customRequest("minvisor/status")).body.icount;
  const before = await icount();
  await client.go("stepIn");
  expect(await here()).toMatch(/^guest · cpuid cpu\.h:/);
  expect(await icount()).toBe(before);
});

test("a register that is set is what the machine goes on with", async () => {
  await begin("handle_exit");
  const [frame] = await client.frames();
  const set = (expression: string) =>
    client.evaluateRequest({ expression, frameId: frame?.id ?? 0, context: "repl" });
  const start = await client.value("&vmrun");
  await set(`$rip = ${start}`);
  await set("$rbx = 0xabc");
  expect(await here()).toMatch(/^host · vmrun/);
  const stack = BigInt(await client.value("$rsp"));
  await client.go("next", true);
  expect(BigInt(await client.value("$rip"))).toBe(BigInt(start) + 1n);
  expect(BigInt(await client.value("$rsp"))).toBe(stack - 8n);
  expect(await client.value("$rbx")).toBe("0xabc");
});

test("stepping out of the guest's outermost frame runs to the next exit", async () => {
  await begin("sample.elf!start");
  expect(await here()).toMatch(/^guest · start/);
  expect((await client.go("stepOut")).reason).toBe("step");
  expect(await here()).toMatch(/^host · vmrun/);
});

test("conditions, hit counts and log points on source lines", async () => {
  await client.begin();
  const source = { path: inRepository("minvisor/exit_cpuid.c") };
  const line = lineOf("minvisor/exit_cpuid.c", "count_cpuid(leaf)");
  const answer = await client.setBreakpointsRequest({
    source,
    breakpoints: [{ line, condition: "leaf == 0x80000001" }],
  });
  expect(answer.body.breakpoints[0]).toMatchObject({ verified: true, line });
  await client.configurationDoneRequest();
  await client.nextStop();
  const [frame] = await client.frames();
  expect(await client.value("leaf", frame?.id)).toBe("0x80000001");
  const outputs: string[] = [];
  client.on("output", ({ body }) => body.category === "console" && outputs.push(body.output));
  await client.setBreakpointsRequest({ source, breakpoints: [] });
  await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "vmexit:IOIO", condition: "port == 0x3f8", hitCondition: "3" }],
  });
  await client.setBreakpointsRequest({
    source: { path: inRepository("minvisor/exit.c") },
    breakpoints: [
      { line: lineOf("minvisor/exit.c", "u64 code ="), logMessage: "rip {vmcb.save.rip}" },
    ],
  });
  const stop = await client.go("continue");
  expect(stop).toMatchObject({ reason: "breakpoint", hitBreakpointIds: [expect.any(Number)] });
  const lines = outputs.join("").split("\n");
  expect(lines.filter((each) => /^rip 0x[0-9a-f]+$/.test(each)).length).toBeGreaterThan(1);
});
