// Scopes, variables, locations, exceptionInfo and number formats over the wire: happy paths and errors.
import { readFileSync } from "node:fs";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AdapterClient,
  inRepository,
  SAMPLE,
  startClient,
} from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

type Scopes = DebugProtocol.ScopesResponse["body"];
type Variables = DebugProtocol.VariablesResponse["body"];

const IO_EXIT = {
  filters: [],
  filterOptions: [{ filterId: "exit", condition: 'reason == "IOIO" && port == 0x604 && !in' }],
};

test("scopes and variables of an I/O exit", async () => {
  await client.runTo(IO_EXIT, { ...SAMPLE, invariants: true });
  const transcript = new Transcript(client);
  await transcript.ask("exceptionInfo", { threadId: 1 });
  const { scopes } = await transcript.ask<Scopes>("scopes", { frameId: 1 });
  const reference = (name: string) =>
    scopes.find((scope) => scope.name === name)?.variablesReference ?? 0;
  const exit = await transcript.ask<Variables>("variables", {
    variablesReference: reference("Exit"),
  });
  const row = (name: string) => exit.variables.find((each) => each.name === name);
  for (const name of ["cause", "exitinfo1"]) {
    await transcript.ask("variables", { variablesReference: row(name)?.variablesReference ?? 0 });
  }
  const { valueLocationReference: locationReference } = row("guest rip") ?? {};
  await transcript.ask("locations", { locationReference });
  await transcript.ask("locations", { locationReference: 0 });
  const host = { variablesReference: reference("Host registers") };
  await transcript.ask("variables", { ...host, start: 1, count: 2 });
  await transcript.ask("variables", { ...host, filter: "indexed" });
  await transcript.ask("variables", { ...host, filter: "named", start: 17, count: 1 });
  await transcript.ask("variables", { ...host, start: -5, count: 1 });
  await transcript.ask("variables", { variablesReference: 999_999 });
  await transcript.ask("scopes", { frameId: 99 });
  await expect(transcript.text).toMatchFileSnapshot("./io-exit.golden.txt");
});

test("numbers in decimal for the session, and in hexadecimal for one request", async () => {
  await client.runTo(IO_EXIT);
  const transcript = new Transcript(client);
  await transcript.ask("minvisor/setNumberFormat", { format: "octal" });
  const invalidated: unknown[] = [];
  client.on("invalidated", ({ body }: DebugProtocol.Event) => invalidated.push(body));
  await transcript.ask("minvisor/setNumberFormat", { format: "decimal" });
  const scope = await client.scope(1, "Exit");
  const { variablesReference } = scope.get("exitinfo1") ?? { variablesReference: 0 };
  await transcript.ask("variables", { variablesReference, start: 10, count: 1 });
  await transcript.ask("variables", {
    variablesReference,
    start: 10,
    count: 1,
    format: { hex: true },
  });
  expect(scope.get("port")?.value).toBe(String(0x604));
  expect(scope.get("string")?.value).toBe("false");
  await transcript.ask("minvisor/setNumberFormat", { format: "hexadecimal" });
  expect((await client.scope(1, "Exit")).get("port")?.value).toBe("0x604");
  await expect(transcript.text).toMatchFileSnapshot("./number-format.golden.txt");
});

test("no machine, a running one, and a stop of another kind", async () => {
  const transcript = new Transcript(client);
  await client.initializeRequest();
  for (const [command, args] of [
    ["scopes", { frameId: 1 }],
    ["variables", { variablesReference: 1 }],
    ["locations", { locationReference: 1 }],
    ["exceptionInfo", { threadId: 1 }],
  ] as const) {
    await transcript.ask(command, args);
  }
  const initialized = client.waitForEvent("initialized");
  await client.launchRequest({
    ...SAMPLE,
    stopOnEntry: true,
  } as DebugProtocol.LaunchRequestArguments);
  await initialized;
  await client.configurationDoneRequest();
  await client.nextStop();
  await transcript.ask("exceptionInfo", { threadId: 1 });
  await transcript.ask("scopes", { frameId: 1 });
  await expect(transcript.text).toMatchFileSnapshot("./errors.golden.txt");
});

test("every register of the running world is set and read back", async () => {
  await client.runTo({ filters: ["exit:CPUID"] });
  const { scopes } = (await client.scopesRequest({ frameId: 1 })).body;
  const scope = (name: string) =>
    scopes.find((each) => each.name === name)?.variablesReference ?? 0;
  const set = async (variablesReference: number, name: string, value: string) =>
    (await client.setVariableRequest({ variablesReference, name, value })).body.value;
  const host = scope("Host registers");
  const group = async (name: string) =>
    (await client.children(host)).get(name)?.variablesReference ?? 0;

  expect(await set(await group("flags"), "CF", "1")).toBe("1");
  expect((await client.children(host)).get("rflags")?.value).toMatch(/\(CF /);
  expect(
    await client.failure("setVariable", {
      ...{ variablesReference: await group("flags") },
      name: "CF",
      value: "2",
    }),
  ).toMatch(/^CF is 0 or 1/);

  const sse = await group("sse");
  expect(await set(sse, "xmm3", "0x3f800000400000000000000000000001")).toMatch(/^0x3f80/);
  const lanes = await client.children(
    (await client.children(sse)).get("xmm3")?.variablesReference ?? 0,
  );
  expect(lanes.get("float")?.value).toBe("{1.401298464324817e-45, 0, 2, 1}");
  expect(lanes.get("u32")).toMatchObject({
    value: "{0x1, 0x0, 0x40000000, 0x3f800000}",
    indexedVariables: 4,
  });
  expect(await set(lanes.get("u16")?.variablesReference ?? 0, "[7]", "0x4000")).toBe("0x4000");
  expect((await client.children(sse)).get("xmm3")?.value).toBe(
    "0x40000000400000000000000000000001",
  );

  const x87 = await group("x87");
  expect(await set(x87, "ftw", "0")).toBe("0x0");
  expect(await set(x87, "st0", "0x4000c90fdaa22168c235")).toMatch(/3\.14159265358979\d*, valid/);
  expect((await client.children(x87)).get("mm0")?.value).toBe("0xc90fdaa22168c235");

  const ds = (await client.children(await group("segments"))).get("ds")?.variablesReference ?? 0;
  expect(await set(ds, "base", "0x1000")).toBe("0x1000");
  expect((await client.children(await group("segments"))).get("ds")?.value).toMatch(/base 0x1000,/);

  const msrs = scope("MSRs");
  expect(await set(msrs, "LSTAR", "0xffffffff81000000")).toBe("0xffffffff81000000");
  expect(
    await client.failure("setVariable", {
      variablesReference: msrs,
      name: "LSTAR",
      value: "0x800000000000",
    }),
  ).toMatch(/LSTAR cannot hold 0x800000000000/);
  expect(
    await client.failure("setVariable", {
      variablesReference: msrs,
      name: "LAST_BRANCH_TO",
      value: "1",
    }),
  ).toMatch(/cannot be set/);

  const model = await client.children(msrs);
  expect(model.get("LSTAR")?.memoryReference).toMatch(/^hva@0x[0-9a-f]+:0xffffffff81000000$/);
  expect(model.get("APIC_BASE")).toMatchObject({
    value: "0xfee00900 (BSC AE ABA=0xfee00)",
    memoryReference: "hpa:0xfee00000",
  });
  const cr3 = (await client.children(await group("control"))).get("cr3");
  expect(cr3?.memoryReference).toBe(`hpa:${cr3?.value}`);

  // At an exit, what #VMEXIT does not switch is still the guest's.
  const guest = scope("Guest registers");
  expect(await set(guest, "rbx", "0x77")).toBe("0x77");
  expect((await client.children(host)).get("rbx")?.value).toBe("0x77");
  expect(await set(guest, "rax", "0x55")).toBe("0x55");
  expect((await client.scope(1, "VMCB save")).get("RAX")?.value).toMatch(/-> 0x55$/);
});

test("a local names the line of its declaration, a pointer to a function that function's", async () => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "set_gate" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const locals = await client.scope(1, "Locals");
  const source = readFileSync(inRepository("test/guests/sample/main.c"), "utf8").split("\n");
  const lineOf = async (locationReference: number | undefined) => {
    const { body } = await client.send("locations", { locationReference });
    expect(body.source.path).toBe(inRepository("test/guests/sample/main.c"));
    return source[body.line - 1];
  };
  const vector = locals.get("vector");
  expect(await lineOf(vector?.declarationLocationReference)).toMatch(/set_gate\(u32 vector/);
  expect(vector?.valueLocationReference).toBeUndefined();
  const entry = locals.get("entry")?.valueLocationReference;
  const { body } = await client.send("locations", { locationReference: entry });
  expect(body.source.path).toBe(inRepository("test/guests/sample/faults.S"));
});

test("frames are named as the client's format asks", async () => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "set_gate" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const named = async (format: DebugProtocol.StackFrameFormat) => {
    const args = { threadId: 1, levels: 1, format };
    return (await client.stackTraceRequest(args)).body.stackFrames[0]?.name;
  };
  const set = { parameters: true };
  expect(await named({})).toBe("guest · set_gate");
  expect(await named({ module: true, line: true })).toMatch(
    /^guest · sample\.elf!set_gate, line \d+$/,
  );
  expect(await named(set)).toMatch(
    /^guest · set_gate\(vector = 0x0, entry = 0x[0-9a-f]+ <unexpected_entry>\)$/,
  );
  expect(await named({ ...set, parameterTypes: true })).toBe(
    "guest · set_gate(u32, void (*)(void))",
  );
  expect(await named({ ...set, parameterTypes: true, parameterNames: true })).toMatch(
    /^guest · set_gate\(u32 vector, /,
  );
  await client.customRequest("minvisor/setNumberFormat", { format: "decimal" });
  expect(await named({ ...set, parameterValues: true })).toMatch(/^guest · set_gate\(0, /);
});
