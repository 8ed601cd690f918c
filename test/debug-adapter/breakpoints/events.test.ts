/** Breakpoints on events of the machine, by text, on all surfaces. */
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EXITS } from "../../../emulator/index.ts";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

interface EventText {
  readonly event: string;
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

async function setEvents(...breakpoints: EventText[]): Promise<DP.Breakpoint[]> {
  const { body } = await client.customRequest("minvisor/setEventBreakpoints", { breakpoints });
  return body.breakpoints;
}

/** Runs the sample with one event breakpoint to its first stop. */
async function runToEvent(...breakpoints: EventText[]) {
  await client.begin(SAMPLE);
  const made = await setEvents(...breakpoints);
  await client.setExceptionBreakpointsRequest({ filters: [] });
  await client.configurationDoneRequest();
  const stop = await client.nextStop();
  expect(stop.hitBreakpointIds).toEqual(made.slice(-1).map(({ id }) => id));
  return stop;
}

test.each([
  [
    "io:0x3f8:w",
    "value == 0x73",
    /^Paused on out to port 0x3f8$/,
    /^0x73 out to 0x3f8 by the host/,
  ],
  ["io:0x3f8-0x3ff:r", "port == 0x3fd", /^Paused on in from port 0x3fd$/, /in from 0x3fd by/],
  ["host:io:0x2f8-0x2ff:w", "", /^Paused on out to port 0x2f/, /by the host/],
  ["host:msr:0xc0000080", "write", /^Paused on WRMSR EFER$/, /by the host/],
  ["msr:VM_HSAVE_PA:w", "", /^Paused on WRMSR VM_HSAVE_PA$/, /by the host/],
  ["msr:vm_hsavePa:w", "", /^Paused on WRMSR VM_HSAVE_PA$/, /by the host/],
  ["guest:exception:GP", "vector == 13", /^Paused on #GP in the guest$/, /^#GP with error code/],
  ["irq:0x20", 'external && name == ""', /^Paused on interrupt 0x20/, /interrupt 0x20/],
  ["guest:irq:0x20", "guest", /^Paused on interrupt 0x20 in the guest$/, /interrupt 0x20/],
  ["vmrun", "guest == 1", /^Paused on VMRUN of guest 1$/, /run by the/],
  ["vmexit:VMMCALL", "", /^Paused on #VMEXIT VMMCALL/, /VMMCALL/],
  ["vmexit:CP*", "leaf == 0x80000001", /^Paused on #VMEXIT CPUID/, /CPUID/],
])("%s if %s", async (event, condition, description, text) => {
  const stop = await runToEvent({ event, condition });
  expect(stop.description).toMatch(description);
  expect(stop.text).toMatch(text);
});

test("function breakpoints take the same texts, with counts", async () => {
  await client.begin(SAMPLE);
  const { body } = await client.setFunctionBreakpointsRequest({
    breakpoints: [
      { name: "io:0x3f8:w", condition: "value == 0x6c", hitCondition: "2" },
      { name: "minvisor.elf!vmrun" },
      { name: "io:nothing" },
      { name: "guest:nothing" },
    ],
  });
  expect(body.breakpoints.map(({ verified }) => verified)).toEqual([true, true, false, false]);
  expect(body.breakpoints[2]?.message).toMatch(/no I\/O port/);
  expect(body.breakpoints[3]?.message).toMatch(/write vmexit:NAME.*irq:0x20.*"guest:"/);
  await client.configurationDoneRequest();
  expect((await client.nextStop()).description).toBe("Paused on minvisor.elf!vmrun");
  await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "io:0x3f8:w", condition: "value == 0x6c", hitCondition: "2" }],
  });
  expect((await client.go("continue")).reason).toBe("function breakpoint");
});

test("a name that is an event's and a function's is the function's; event: is the event's", async () => {
  await client.begin(SAMPLE);
  const { body } = await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "vmrun" }, { name: "event:vmrun" }, { name: "event:nonesuch" }],
  });
  const [named, event, unknown] = body.breakpoints;
  expect(named).toMatchObject({ verified: true, source: expect.anything() });
  expect(named?.message).toBe(
    '"vmrun" is a function; the event of this name is written event:vmrun.',
  );
  expect(event).toMatchObject({ verified: true });
  expect(event?.source).toBeUndefined();
  expect(unknown?.message).toMatch(/^There is no event "event:nonesuch"; write vmexit:NAME/);
  await client.configurationDoneRequest();
  expect(await client.nextStop()).toMatchObject({
    description: "Paused on vmrun",
    hitBreakpointIds: [named?.id],
  });
  expect(await client.go("continue")).toMatchObject({
    description: "Paused on VMRUN of guest 1",
    hitBreakpointIds: [event?.id],
  });
});

test("filters for guest exceptions, conditions on each, and what does not parse named", async () => {
  await client.begin(SAMPLE);
  const transcript = new Transcript(client);
  await transcript.ask("setExceptionBreakpoints", {
    filters: [],
    filterOptions: [
      { filterId: "guest:exceptions", condition: "vector == 13 && errorCode == 0" },
      { filterId: "guest:PF", condition: "address ==" },
      { filterId: "exit:NPF", condition: "gpa == 0x1000 && &&" },
      { filterId: "nonesuch" },
    ],
  });
  await client.configurationDoneRequest();
  const stop = await client.nextStop();
  expect(stop).toMatchObject({ reason: "exception", description: "Paused on #GP in the guest" });
  await transcript.ask("exceptionInfo", { threadId: 1 });
  await transcript.ask("minvisor/setEventBreakpoints", {
    breakpoints: [
      { event: "vmexit:NPF", condition: "gpa > 0", hitCondition: "> 2", logMessage: "{gpa}" },
      { event: "vmexit:NONE" },
      { event: "guest_main" },
      { event: "msr:EFER:x" },
      { event: "irq:300" },
      { event: "io:1", hitCondition: "often" },
    ],
  });
  await expect(transcript.text).toMatchFileSnapshot("./events.golden.txt");
});

test("the exit codes are those of the machine's table, grouped", async () => {
  await client.begin(SAMPLE);
  const { body } = await client.customRequest("minvisor/exitCodes");
  const exits: { name: string; code: number; group: string; doc: string }[] = body.exits;
  expect(exits.map(({ name, code, doc }) => [name, code, doc])).toEqual(
    EXITS.map(({ name, code, doc }) => [name, code, doc]),
  );
  expect(exits.find(({ name }) => name === "CR3_WRITE")?.group).toBe("Control registers");
});

test("log messages of events are batched, in order, and end before the stop", async () => {
  let lines = "";
  client.on("output", ({ body }: DP.OutputEvent) => {
    if (body.category === "console") lines += body.output;
  });
  await runToEvent({ event: "io:0x3f8:w", logMessage: "byte {value}" }, { event: "exception:GP" });
  const bytes = [...lines.matchAll(/^byte (0x[0-9a-f]+)$/gm)].map((each) => Number(each[1]));
  expect(String.fromCharCode(...bytes)).toContain("sample");
});
