/** Data breakpoints in the running sample: every space, registers, MSRs and VMCB fields. */
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

const cpuid = { filters: [], filterOptions: [{ filterId: "exit:CPUID" }] };
/** To the first CPUID in long mode, where the guest's tables are set up. */
const inLongMode = {
  filters: [],
  filterOptions: [{ filterId: "exit:CPUID", condition: "vmcb.CR3 != 0" }],
};

async function set(...breakpoints: DP.DataBreakpoint[]): Promise<DP.Breakpoint[]> {
  const { body } = await client.setDataBreakpointsRequest({ breakpoints });
  return body.breakpoints;
}

async function info(args: object): Promise<DP.DataBreakpointInfoResponse["body"]> {
  const { body } = await client.send("dataBreakpointInfo", args);
  return body;
}

async function noFilters(): Promise<void> {
  await client.setExceptionBreakpointsRequest({ filters: [] });
}

async function addressOf(name: string): Promise<string> {
  return /0x[0-9a-f]+/.exec(await client.value(`&${name}`))?.[0] ?? "";
}

test("a variable of the guest, named before its tables exist, and the memory behind it", async () => {
  await client.runTo(cpuid);
  const frames = await client.frames();
  const guest = frames.find((frame) => frame.name.startsWith("guest"));
  const named = await info({ name: "timer_ticks", frameId: guest?.id, bytes: 4 });
  expect(named).toMatchObject({ accessTypes: ["read", "write", "readWrite"], canPersist: false });
  expect(named.dataId).toMatch(/^gva@g1\/0x0:0x[0-9a-f]+,4$/);
  const address = await addressOf("timer_ticks");
  const made = await set(
    { dataId: named.dataId ?? "", accessType: "write" },
    { dataId: `gpa@g1:${address},4` },
    { dataId: `hpa:${address},1`, condition: "old + 1 == new && size == 4" },
    { dataId: `hpa:${BigInt(address) + 4n},4` },
    { dataId: `hpa:${address},4`, condition: "new == 77" },
  );
  expect(made.map(({ verified }) => verified)).toEqual(Array(5).fill(true));
  await noFilters();
  const stop = await client.go("continue");
  expect(stop.reason).toBe("data breakpoint");
  expect(stop.description).toContain("0x0 -> 0x1");
  expect(stop.text).toMatch(/written by the guest's instruction at 0x[0-9a-f]+ <timer_entry/);
  expect(stop.hitBreakpointIds).toEqual(made.slice(0, 3).map(({ id }) => id));
  expect(await client.value(`@hpa(${address}, 4)`)).toMatch(/^(0x)?1\b/);
});

test("reads hit where asked for, and the debugger's own accesses never", async () => {
  await client.runTo(cpuid);
  const address = await addressOf("timer_ticks");
  const made = await set({ dataId: `gpa@g1:${address},4`, accessType: "read" });
  await noFilters();
  const data = Buffer.from([0, 0, 0, 0]).toString("base64");
  await client.customRequest("writeMemory", { memoryReference: `gpa:${address}`, data });
  await client.customRequest("readMemory", { memoryReference: `gpa:${address}`, count: 4 });
  const stop = await client.go("continue");
  expect(stop.hitBreakpointIds).toEqual(made.map(({ id }) => id));
  expect(stop.text).toContain("was read by the guest's instruction");
});

test("a VMCB field: #VMEXIT is named as its writer, the hypervisor by its line", async () => {
  await client.runTo(cpuid);
  const { body } = await client.evaluateRequest({ expression: "vmcb" });
  const vmcb = /0x[0-9a-f]+$/.exec(body.memoryReference ?? "")?.[0] ?? "";
  await noFilters();
  const made = await set({ dataId: `vmcb:${vmcb}:EXITCODE`, condition: "new == 0x7b" });
  expect(made[0]).toMatchObject({ verified: true });
  const exit = await client.go("continue");
  expect(exit.reason).toBe("data breakpoint");
  expect(exit.text).toMatch(/VMCB field EXITCODE was written by #VMEXIT IOIO .*-> 0x7b/);
  await set({ dataId: `vmcb:${vmcb}:RIP`, condition: "old != new" });
  const rip = await client.go("continue");
  expect(rip.text).toMatch(/written by the host's instruction at 0x[0-9a-f]+ <\w+.* at \w+\.c:\d+/);
  const fields = await info({ name: "vmcb.RIP" });
  expect(fields.dataId).toBe(`vmcb:${vmcb}:RIP`);
});

test("registers and MSRs: control registers at their writes, general ones at each instruction", async () => {
  await client.runTo(cpuid);
  await noFilters();
  await set({ dataId: "reg:guest:cr3" });
  const cr3 = await client.go("continue");
  expect(cr3.description).toBe("Paused on change of cr3 of the guest: 0x0 -> 0x70000");
  const [general] = await set({ dataId: "reg:guest:rbx", condition: "new == 0x12345" });
  expect(general?.message).toMatch(/slower/);
  await set({ dataId: "msr:0xc0000100" });
  const base = await client.go("continue");
  expect(base.text).toMatch(
    /MSR 0xc0000100 was written by the host's instruction .* -> 0x123456789a0/,
  );
  await set({ dataId: "reg:guest:rsp" });
  const stack = await client.go("continue");
  expect(stack.description).toMatch(/^Paused on change of rsp of the guest: 0x[0-9a-f]+ -> 0x/);
});

test("what a client may ask, and errors that say why", async () => {
  await client.runTo(inLongMode);
  const transcript = new Transcript(client);
  const frames = await client.frames();
  const frameId = frames.find((frame) => frame.name.startsWith("guest"))?.id ?? 0;
  await transcript.ask("dataBreakpointInfo", { name: "0x7c00", asAddress: true, bytes: 4 });
  await transcript.ask("dataBreakpointInfo", { name: "31744", asAddress: true, bytes: 1 });
  await transcript.ask("dataBreakpointInfo", { name: "gpa:0x7000", asAddress: true });
  await transcript.ask("dataBreakpointInfo", { name: "hpa:0x7000", frameId });
  await transcript.ask("dataBreakpointInfo", { name: "timer_ticks", frameId });
  await transcript.ask("dataBreakpointInfo", { name: "$rbx", frameId });
  await transcript.ask("dataBreakpointInfo", { name: "1 + 1", frameId });
  await transcript.ask("dataBreakpointInfo", { name: "nonesuch", frameId });
  await transcript.ask("dataBreakpointInfo", { name: "x", variablesReference: 99_999 });
  await transcript.ask("dataBreakpointInfo", { name: "0x1000", asAddress: true, bytes: 0 });
  const ids = [
    "gpa@g1:0x7000,8",
    "gpa@g7:0x7000,8",
    "reg:host:rip",
    "reg:guest:nonesuch",
    "nonsense",
  ];
  await transcript.ask("setDataBreakpoints", {
    breakpoints: ids.map((dataId) => ({ dataId })),
  });
  await transcript.ask("setDataBreakpoints", {
    breakpoints: [{ dataId: "hpa:0x1000,8", condition: "old !=", accessType: "readWrite" }],
  });
  await transcript.ask("setDataBreakpoints", { breakpoints: [] });
  await expect(transcript.text).toMatchFileSnapshot("./data.golden.txt");
});

test("a breakpoint on a guest's memory waits for the guest", async () => {
  await client.begin({ ...SAMPLE, stopOnEntry: true });
  const [waiting] = await set({ dataId: "gpa@g1:0x7c00,2", accessType: "read" });
  expect(waiting).toMatchObject({ verified: false, reason: "pending" });
  expect(waiting?.message).toMatch(/guest 1/);
  const changed = client.waitForEvent("breakpoint");
  await client.setDataBreakpointsRequest({
    breakpoints: [{ dataId: "gpa@g1:0x7000,8", accessType: "readWrite" }],
  });
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.send("continue", { threadId: 1 });
  expect((await changed).body).toMatchObject({ breakpoint: { verified: true } });
});

test("of a whole VMCB a field is to be chosen, or its bytes", async () => {
  await client.runTo(cpuid);
  const whole = await info({ name: "$vmcb" });
  expect(whole.dataId).toBeNull();
  expect(whole.description).toMatch(/^\$vmcb is the whole VMCB, .* such as \$vmcb\.RIP or/);
  const { dataId } = await info({ name: "$vmcb", bytes: 0x1000 });
  expect(dataId).toMatch(/^hpa:0x[0-9a-f]+000,4096$/);
  for (const name of ["$vmcb.RIP", "$vmcb.N_CR3"]) {
    expect((await info({ name })).dataId, name).toMatch(/^vmcb:/);
  }
});
